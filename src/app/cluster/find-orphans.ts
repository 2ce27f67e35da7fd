import { persistentVolumeClaimKind, podKind } from '../../api/core-kinds.ts';
import { IMPORT_UID_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from '../../api/literals.ts';
import { dataVolumeKind, virtualMachineImageKind, virtualMachineKind } from '../../api/platform-kinds.ts';
import { virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { type KubernetesObject, type ResourceKind, refOf } from '../../domain/kubernetes-object.ts';
import { isProblem, type ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { allOf } from './all-of.ts';
import { type DataInUse, dataInUse } from './data-in-use.ts';
import type { ClusterScope } from './open-cluster.ts';
import { madeKinds } from './related-objects.ts';

/** Something that an import made, of an import that is no more. */
export interface Orphan {
  readonly kind: ResourceKind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string | undefined;
  readonly importUid: string;
  readonly createdAt: string | undefined;
  /** A volume, a DataVolume or an image: may hold what somebody wants. */
  readonly holdsData: boolean;
}

export interface Orphans {
  readonly orphans: readonly Orphan[];
  /** Why some objects could not be judged; these are not among the orphans. */
  readonly unseen: readonly ProblemError[];
}

/**
 * What imports left behind. A volume is no orphan while a machine or a Pod uses it, an image while a volume lies on it, and neither while the machine of their import is there; where
 * users cannot be looked at, none is. Objects are listed before imports: one that is made meanwhile has its import in the later list.
 */
export async function findOrphans(
  cluster: Cluster,
  { namespace }: ClusterScope,
  options: CallOptions = {},
): Promise<Orphans> {
  const unseen: ProblemError[] = [];
  const list = async <T extends KubernetesObject>(kind: ResourceKind<T>, labels?: Record<string, string>) => {
    try {
      return await allOf(cluster.list(kind, { ...options, namespace, labels }));
    } catch (error) {
      if (isProblem(error, 'ClusterKindMissing')) return [];
      if (!isProblem(error)) throw error;
      unseen.push(error);
      return undefined;
    }
  };
  const made: Made[] = [];
  for (const kind of madeKinds as readonly ResourceKind[])
    for (const object of (await list(kind, { [MANAGED_BY_LABEL]: MANAGED_BY })) ?? []) made.push({ kind, object });

  // Without this list everything would look like an orphan: here a refusal is the end.
  const alive = new Set<string | undefined>();
  for await (const { metadata } of cluster.list(virtualMachineImportKind, { ...options, namespace }))
    alive.add(metadata.uid);

  const left = made.filter(({ object: { metadata } }) => {
    const importUid = metadata.labels?.[IMPORT_UID_LABEL];
    return importUid !== undefined && !alive.has(importUid) && metadata.deletionTimestamp === undefined;
  });
  const data = left.filter(({ kind }) => holdsData(kind));
  const hasImages = data.some(({ kind }) => kind.kind === virtualMachineImageKind.kind);
  const machines = data.length === 0 ? [] : await list(virtualMachineKind);
  const pods = data.length === 0 ? [] : await list(podKind);
  const claims = hasImages ? await list(persistentVolumeClaimKind) : [];
  if (machines === undefined || pods === undefined || claims === undefined)
    return { orphans: left.filter(({ kind }) => !holdsData(kind)).map(toOrphan), unseen };

  // What is left behind itself holds nothing that anybody wants: Pods before volumes, volumes before images.
  const leftUids = new Set(left.map(({ object }) => object.metadata.uid));
  const livePods = pods.filter(({ metadata }) => !leftUids.has(metadata.uid) && metadata.labels?.app !== CDI_APP);
  const volumes = dataInUse({ machines, pods: livePods, claims: [] });
  const goneClaims = new Set(data.filter((each) => !isUsed(each, volumes)).map(({ object }) => object.metadata.uid));
  const liveClaims = claims.filter(({ metadata }) => !goneClaims.has(metadata.uid));
  const used = dataInUse({ machines, pods: livePods, claims: liveClaims });
  return { orphans: left.filter((each) => !holdsData(each.kind) || !isUsed(each, used)).map(toOrphan), unseen };
}

interface Made {
  readonly kind: ResourceKind;
  readonly object: KubernetesObject;
}

/** On CDI's Pods, which wait for an upload for as long as there is a DataVolume: no use of it. */
const CDI_APP = 'containerized-data-importer';
const KINDS_WITH_DATA = [persistentVolumeClaimKind.kind, dataVolumeKind.kind, virtualMachineImageKind.kind];

function holdsData({ kind }: ResourceKind): boolean {
  return KINDS_WITH_DATA.includes(kind);
}

function isUsed({ kind, object }: Made, used: DataInUse): boolean {
  if (used.hasMachineOf(object.metadata.labels?.[IMPORT_UID_LABEL] ?? '')) return true;
  // A DataVolume has the name of its claim.
  const ref = refOf(object);
  return kind.kind === virtualMachineImageKind.kind ? used.hasImage(ref) : used.hasVolume(ref);
}

function toOrphan({ kind, object }: Made): Orphan {
  const { uid, labels, creationTimestamp } = object.metadata;
  const { namespace, name } = refOf(object);
  return {
    kind,
    namespace,
    name,
    uid,
    importUid: labels?.[IMPORT_UID_LABEL] ?? '',
    createdAt: creationTimestamp,
    holdsData: holdsData(kind),
  };
}
