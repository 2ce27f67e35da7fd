import {
  configMapKind,
  type Job,
  jobKind,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaimKind,
  podKind,
  secretKind,
} from '../../api/core-kinds.ts';
import { DISK_INDEX_LABEL, EPOCH_LABEL, IMPORT_UID_LABEL, imageConditions } from '../../api/literals.ts';
import {
  type DataVolume,
  dataVolumeKind,
  type VirtualMachine,
  type VirtualMachineImage,
  virtualMachineImageKind,
  virtualMachineKind,
} from '../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../api/virtual-machine-import.ts';
import type { KubernetesObject, ResourceKind } from '../../domain/kubernetes-object.ts';
import { isProblem, type ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { allOf } from './all-of.ts';

/** An object that an import made, in a line. */
export interface RelatedObject {
  readonly kind: string;
  readonly name: string;
  readonly uid: string | undefined;
  /** Its state in its own kind's words, such as `Running on node3` or `Bound, 10Gi`. */
  readonly state: string;
  /** Number among the machine's disks, from 0, of what belongs to one. */
  readonly disk: number | undefined;
}

export interface RelatedObjects {
  readonly objects: readonly RelatedObject[];
  /** Undefined where there is none, or where it was not made by this import. */
  readonly machine: VirtualMachine | undefined;
  /** What could not be looked at. */
  readonly unseen: readonly ProblemError[];
}

/** Kinds of which an import makes objects, all of which carry its label. A DataVolume before its claim, which CDI would make again. Machines are found by name. */
export const madeKinds = [
  jobKind,
  podKind,
  configMapKind,
  secretKind,
  virtualMachineImageKind,
  dataVolumeKind,
  persistentVolumeClaimKind,
] as const;

/** All that an import made and that is still there. What this user may not see is told instead of failing. */
export async function findRelatedObjects(
  cluster: Cluster,
  { metadata, status }: VirtualMachineImport,
  options: CallOptions = {},
): Promise<RelatedObjects> {
  const { namespace, uid = '' } = metadata;
  const unseen: ProblemError[] = [];
  const look = async <T>(act: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      // A cluster without KubeVirt has no machines; nothing is unknown about that.
      if (isProblem(error, 'ClusterKindMissing')) return otherwise;
      if (!isProblem(error)) throw error;
      unseen.push(error);
      return otherwise;
    }
  };
  const listMade = (kind: ResourceKind) =>
    look(async () => {
      const labels = { [IMPORT_UID_LABEL]: uid };
      return await allOf(cluster.list(kind, { ...options, namespace, labels }));
    }, []);
  const name = status.importedVirtualMachineName;
  const [made, machine] = await Promise.all([
    Promise.all(madeKinds.map(listMade)),
    look(async () => name && (await cluster.get(virtualMachineKind, { namespace, name }, options)), undefined),
  ]);
  const own = machine && machine.metadata.labels?.[IMPORT_UID_LABEL] === uid ? machine : undefined;
  const objects = made.flat().toSorted(byDiskAndName).map(describeRelated);
  return { objects: own === undefined ? objects : [...objects, describeRelated(own)], machine: own, unseen };
}

export function diskOf({ metadata }: KubernetesObject): number | undefined {
  const label = metadata.labels?.[DISK_INDEX_LABEL];
  return label === undefined ? undefined : Number(label);
}

/** Of a transfer's Job or Pod: which run of that disk it is. */
export function epochOf({ metadata }: KubernetesObject): number {
  return Number(metadata.labels?.[EPOCH_LABEL] ?? 0);
}

function byDiskAndName(one: KubernetesObject, other: KubernetesObject): number {
  const byKind = kindOrder(one) - kindOrder(other);
  if (byKind !== 0) return byKind;
  const byDisk = (diskOf(one) ?? -1) - (diskOf(other) ?? -1);
  return byDisk === 0 ? (one.metadata.name < other.metadata.name ? -1 : 1) : byDisk;
}

function kindOrder({ kind }: KubernetesObject): number {
  return madeKinds.findIndex((each) => each.kind === kind);
}

/** In its own kind's words. */
export function describeRelated(object: KubernetesObject): RelatedObject {
  const { kind, metadata } = object;
  const isGoing = metadata.deletionTimestamp !== undefined;
  return {
    kind,
    name: metadata.name,
    uid: metadata.uid,
    state: [...(isGoing ? ['being deleted'] : []), ...stateOf(object)].join(', '),
    disk: diskOf(object),
  };
}

function stateOf(object: KubernetesObject): string[] {
  switch (object.kind) {
    case 'Job':
      return [jobState(object)];
    case 'Pod':
      return podState(object);
    case 'PersistentVolumeClaim':
      return claimState(object);
    case 'DataVolume':
      return dataVolumeState(object as DataVolume);
    case 'VirtualMachineImage':
      return imageState(object as VirtualMachineImage);
    case 'VirtualMachine':
      return [(object as VirtualMachine).status?.printableStatus ?? 'not started'];
    default:
      return [];
  }
}

function jobState({ status }: Job): string {
  const end = status?.conditions?.find(
    ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  if (end !== undefined) return [end.type, end.message].filter(Boolean).join(': ');
  return (status?.active ?? 0) > 0 ? 'active' : 'waiting';
}

function podState({ spec, status }: Pod): string[] {
  const phase = status?.phase ?? 'Pending';
  const node = spec?.nodeName === undefined ? '' : ` on ${spec.nodeName}`;
  const [container] = status?.containerStatuses ?? [];
  const { waiting, terminated } = container?.state ?? {};
  const restarts = container?.restartCount ?? 0;
  const unscheduled = status?.conditions?.find(({ type, status: is }) => type === 'PodScheduled' && is === 'False');
  return [
    `${phase}${node}`,
    ...(restarts > 0 ? [`restarted ${restarts} times`] : []),
    ...[waiting, terminated].flatMap((each) =>
      each?.reason === undefined ? [] : [[each.reason, each.message].filter(Boolean).join(': ')],
    ),
    ...(unscheduled?.message === undefined ? [] : [unscheduled.message]),
  ];
}

function claimState({ spec, status }: PersistentVolumeClaim): string[] {
  const size = status?.capacity?.storage ?? spec?.resources?.requests?.storage;
  const storageClass = spec?.storageClassName;
  return [
    status?.phase ?? 'Pending',
    ...(size === undefined ? [] : [size]),
    ...(storageClass === undefined ? [] : [`class ${storageClass}`]),
  ];
}

function imageState({ status }: VirtualMachineImage): string[] {
  const { progress = 0, conditions } = status ?? {};
  const imported = conditions?.find(({ type }) => type === imageConditions.imported);
  if (imported?.status === 'True') return ['imported'];
  return [`${progress}% imported`, ...(imported?.status === 'False' && imported.message ? [imported.message] : [])];
}

function dataVolumeState({ status }: DataVolume): string[] {
  return [status?.phase ?? 'Pending', ...(status?.progress?.endsWith('%') ? [status.progress] : [])];
}
