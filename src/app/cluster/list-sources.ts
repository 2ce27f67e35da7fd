import { type OpenstackSource, openstackSourceKind, readOpenstackSource } from '../../api/openstack-source.ts';
import { type OvaSource, ovaSourceKind, readOvaSource } from '../../api/ova-source.ts';
import type { Reading } from '../../api/read-object.ts';
import { readVmwareSource, type VmwareSource, vmwareSourceKind } from '../../api/vmware-source.ts';
import type { KubernetesObject, ResourceKind } from '../../domain/kubernetes-object.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { ClusterScope } from './open-cluster.ts';

type AnySource = VmwareSource | OpenstackSource | OvaSource;

interface SourceKind {
  readonly resource: ResourceKind;
  readonly read: (stored: KubernetesObject) => Reading<AnySource>;
}

export const sourceKinds: readonly SourceKind[] = [
  { resource: vmwareSourceKind, read: readVmwareSource },
  { resource: openstackSourceKind, read: readOpenstackSource },
  { resource: ovaSourceKind, read: readOvaSource },
];

export interface SourceSummary {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `clusterReady`, `clusterNotReady`; undefined before the first verdict. */
  readonly status: string | undefined;
  readonly address: string | undefined;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly nextStep: string | undefined;
  /** RFC 3339. */
  readonly checkedAt: string | undefined;
  readonly createdAt: string | undefined;
}

/** The sources of every kind, each as it is stored; kind by kind. */
export async function* listSources(
  cluster: Cluster,
  { namespace, name, ...options }: ClusterScope & CallOptions & { readonly name?: string | undefined },
): AsyncGenerator<KubernetesObject, void> {
  const fields = name === undefined ? undefined : { 'metadata.name': name };
  for (const { resource } of sourceKinds) yield* cluster.list(resource, { ...options, namespace, fields });
}

export function summarizeSource(stored: KubernetesObject): SourceSummary {
  const { metadata, spec, status } = kindOf(stored).read(stored).object;
  const { check } = status;
  return {
    kind: stored.kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    status: status.status,
    address: addressOf(spec),
    reason: check?.reason,
    message: check?.message,
    nextStep: check?.nextStep,
    checkedAt: check?.time,
    createdAt: metadata.creationTimestamp,
  };
}

export function resourceOfSource(stored: KubernetesObject): ResourceKind {
  return kindOf(stored).resource;
}

function kindOf({ kind }: KubernetesObject): SourceKind {
  const known = sourceKinds.find(({ resource }) => resource.kind === kind);
  if (known === undefined) throw new Error(`${kind} is no kind of source`);
  return known;
}

/** Each kind names its address in its own way. An account in it, and a query, which in presigned addresses is the credential, are nobody's business. */
function addressOf(spec: { readonly url?: string | undefined; readonly endpoint?: string | undefined }) {
  const address = spec.url ?? spec.endpoint;
  const url = address === undefined ? null : URL.parse(address);
  if (url === null) return undefined;
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?...'}`;
}
