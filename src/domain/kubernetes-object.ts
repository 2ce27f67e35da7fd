/** Any object of a Kubernetes API, as far as everything that handles objects needs to know it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface ObjectMeta {
  readonly name: string;
  /** Absent for kinds without namespaces. */
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly generateName?: string;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  /** RFC 3339; present once the object is being deleted. */
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** What an address is made of, and, by its type parameter, what its objects look like. */
export interface ResourceKind<T extends KubernetesObject = KubernetesObject> {
  /** Such as `v1` or `batch/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly isNamespaced: boolean;
  /** Only carries `T`; never set. */
  readonly example?: T;
}

export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export function refOf({ metadata: { namespace, name } }: KubernetesObject): ObjectRef {
  return namespace === undefined ? { name } : { namespace, name };
}

/** For messages: `ConfigMap default/settings`. */
export function describeObject(kind: ResourceKind, { namespace, name }: ObjectRef): string {
  return `${kind.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
