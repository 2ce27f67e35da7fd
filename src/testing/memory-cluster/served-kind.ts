import {
  configMapKind,
  deploymentKind,
  eventKind,
  jobKind,
  leaseKind,
  namespaceKind,
  nodeKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  podKind,
  resourceQuotaKind,
  secretKind,
  serviceAccountKind,
  serviceKind,
  storageClassKind,
} from '../../api/core-kinds.ts';
import type { KubernetesObject, ResourceKind } from '../../domain/kubernetes-object.ts';
import { type Fields, isSame } from './fields.ts';

/** A kind and what the server knows about it besides its name. */
export interface ServedKind {
  readonly kind: ResourceKind;
  /** `status` is a subresource: who writes the object leaves the status alone, and the other way round. */
  readonly hasStatus?: boolean;
  /** Counts changes of anything but metadata (and status, where that is a subresource). Unless told: kinds of CRDs and those with a status subresource. */
  readonly hasGeneration?: boolean;
  /** Lists whose items server-side apply tells apart by some of their fields: `{ 'status.conditions': ['type'] }`. An empty list of fields: by the item itself. */
  readonly listKeys?: Readonly<Record<string, readonly string[]>>;
  /** What is wrong with an object about to be stored, as the server would say it. */
  readonly validate?: (object: KubernetesObject, before: KubernetesObject | undefined) => string | undefined;
  /** For kinds of which nothing is stored, such as TokenReview: makes the answer to a `create`. */
  readonly answer?: (object: KubernetesObject) => KubernetesObject;
}

const EVERYWHERE: Readonly<Record<string, readonly string[]>> = {
  'metadata.finalizers': [],
  'metadata.ownerReferences': ['uid'],
};

export function listKeysOf(served: ServedKind, path: string): readonly string[] | undefined {
  return EVERYWHERE[path] ?? served.listKeys?.[path];
}

export function hasGeneration({ kind, hasStatus, hasGeneration: told }: ServedKind): boolean {
  return told ?? (hasStatus === true || kind.apiVersion.includes('.'));
}

export function kindKey({ apiVersion, plural }: ResourceKind): string {
  return `${apiVersion}/${plural}`;
}

/** Kubernetes' own kinds, as far as the project uses them. */
export const coreKinds: readonly ServedKind[] = [
  { kind: configMapKind, validate: refuseChangeOfImmutable },
  { kind: secretKind, validate: refuseChangeOfImmutable },
  { kind: leaseKind, hasGeneration: false },
  { kind: eventKind },
  { kind: serviceAccountKind },
  { kind: storageClassKind, hasGeneration: false },
  { kind: serviceKind, hasStatus: true, hasGeneration: false },
  { kind: namespaceKind, hasStatus: true, hasGeneration: false },
  { kind: nodeKind, hasStatus: true, hasGeneration: false },
  { kind: persistentVolumeKind, hasStatus: true, hasGeneration: false },
  { kind: persistentVolumeClaimKind, hasStatus: true, hasGeneration: false },
  { kind: resourceQuotaKind, hasStatus: true, hasGeneration: false },
  { kind: podKind, hasStatus: true },
  { kind: jobKind, hasStatus: true },
  { kind: deploymentKind, hasStatus: true },
];

/** https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-immutable */
function refuseChangeOfImmutable(object: KubernetesObject, before: KubernetesObject | undefined): string | undefined {
  const [now, then]: Fields[] = [{ ...object }, { ...before }];
  if (then?.immutable !== true) return undefined;
  const changed = ['data', 'binaryData', 'immutable'].find((field) => !isSame(now?.[field], then[field]));
  return changed && `${changed}: Forbidden: field is immutable when \`immutable\` is set`;
}
