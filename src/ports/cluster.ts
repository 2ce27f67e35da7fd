import type { KubernetesObject, ObjectRef, ResourceKind } from '../domain/kubernetes-object.ts';
import type { CallOptions } from '../lib/call-options.ts';

/**
 * Objects with the rules of the Kubernetes API: a real cluster, or a store of our own. Everything above `ports/` works on either; `testing/cluster-compliance.ts` says what both
 * must do. All failures arrive as ProblemError: `ClusterUnreachable`, `ClusterForbidden` (names verb, resource and namespace), `ClusterBusy` (429, with the wait that was asked
 * for), `ClusterConflict`, `ClusterObjectExists`, `ClusterObjectInvalid` (the server's own words), `ClusterObjectMissing` (also the namespace of one that is written),
 * `ClusterKindMissing` (the kind itself is not installed), `ClusterWriteRefused` (a policy, a webhook, a namespace that ends), `ClusterQuotaExceeded`, `ClusterUnauthorized`,
 * `ClusterCertificateUntrusted`, `ClusterFailed`. What may pass by itself was tried several times before.
 *
 * Objects that are handed out belong to nobody: they are never changed, by neither side. They come without `managedFields`.
 */
export interface Cluster {
  /** Undefined when there is no such object. */
  get<T extends KubernetesObject>(kind: ResourceKind<T>, ref: ObjectRef, options?: CallOptions): Promise<T | undefined>;
  /** Page by page, so that ten thousand objects are never in memory because of the list alone. One consistent snapshot where the server can still give it. */
  list<T extends KubernetesObject>(kind: ResourceKind<T>, options?: ListOptions): AsyncIterable<T>;
  /**
   * Everything there is as `set`, then `synced`, then every change, for ever: lost connections, restarts of the server and versions it no longer knows (410) are not seen, except that
   * objects which vanished meanwhile arrive as `gone`, and that states in between may be left out. After a reconnect `synced` is not said again, and what did not change does not come
   * again. An object that does not fit `labels` or `fields` any more is `gone` too. Ends only when aborted, or throws what no retry can cure (`ClusterForbidden`,
   * `ClusterKindMissing`, `ClusterUnauthorized`, `ClusterCertificateUntrusted`): at once at the beginning, later only when it stays so for a minute, because a server that
   * starts gives such answers for moments.
   */
  watch<T extends KubernetesObject>(kind: ResourceKind<T>, options?: WatchOptions): AsyncIterable<ClusterEvent<T>>;
  /** @throws ProblemError `ClusterObjectExists` */
  create<T extends KubernetesObject>(kind: ResourceKind<T>, object: T, options?: CallOptions): Promise<T>;
  /**
   * Server-side apply: the fields given become the manager's, fields it gave before and no longer gives are removed. With `force` it takes fields from other managers.
   * @throws ProblemError `ClusterConflict` naming the other manager and the fields
   */
  apply<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    object: DeepPartialObject<T>,
    options: ApplyOptions,
  ): Promise<T>;
  /**
   * JSON merge patch (RFC 7386): null removes. With `resourceVersion` in its metadata it only applies to that version.
   * @throws ProblemError `ClusterConflict`, `ClusterObjectMissing`
   */
  patch<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    patch: JsonObject,
    options?: PatchOptions,
  ): Promise<T>;
  /**
   * The whole object, as read and changed; its `resourceVersion` must be there and still the current one. The status of a kind with a status subresource stays as it is.
   * @throws ProblemError `ClusterConflict`, `ClusterObjectMissing`, `ClusterObjectInvalid` without a `resourceVersion`
   */
  replace<T extends KubernetesObject>(kind: ResourceKind<T>, object: T, options?: CallOptions): Promise<T>;
  /** A missing object is fine. With `uid`, another object of the same name is left alone (`ClusterConflict`). */
  delete(kind: ResourceKind, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
}

export interface ListOptions extends CallOptions {
  /** All namespaces unless told. */
  readonly namespace?: string | undefined;
  /** Labels that must have these values. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Fields that must have these values, such as `involvedObject.uid` of events; the server decides which there are. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
}

export interface WatchOptions extends ListOptions {
  /** Told of what went wrong and is tried again. */
  readonly onRetry?: ((problem: Error, afterMs: number) => void) | undefined;
}

export type ClusterEvent<T> =
  | { readonly type: 'set'; readonly object: T }
  /** Of what vanished while nobody watched only apiVersion, kind, namespace, name, uid and resourceVersion are known. */
  | { readonly type: 'gone'; readonly object: KubernetesObject }
  | { readonly type: 'synced' };

export interface ApplyOptions extends CallOptions {
  readonly fieldManager: string;
  readonly force?: boolean;
  readonly subresource?: 'status' | undefined;
}

export interface PatchOptions extends CallOptions {
  readonly subresource?: 'status' | undefined;
}

export interface DeleteOptions extends CallOptions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** Background unless told: dependants are collected after it is gone. */
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** The fields of an object that one manager cares for; `apiVersion`, `kind` and the name are always there. */
export type DeepPartialObject<T extends KubernetesObject> = Pick<T, 'apiVersion' | 'kind'> & {
  readonly metadata: Partial<T['metadata']> & { readonly name: string };
} & { readonly [K in Exclude<keyof T, 'apiVersion' | 'kind' | 'metadata'>]?: DeepPartial<T[K]> };

export type DeepPartial<T> = T extends readonly (infer E)[]
  ? readonly DeepPartial<E>[]
  : T extends object
    ? { readonly [K in keyof T]?: DeepPartial<T[K]> }
    : T;
