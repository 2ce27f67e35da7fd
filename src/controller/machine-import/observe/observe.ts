import {
  type ConfigMap,
  configMapKind,
  eventKind,
  type Job,
  jobKind,
  type PersistentVolumeClaim,
  persistentVolumeClaimKind,
  podKind,
  storageClassKind,
} from '../../../api/core-kinds.ts';
import { IMPORT_FINALIZER, IMPORT_UID_LABEL, importStatuses } from '../../../api/literals.ts';
import { type VirtualMachine, virtualMachineKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { KubernetesObject, OwnerReference } from '../../../domain/kubernetes-object.ts';
import type {
  Leftover,
  ObservedDisk,
  ObservedImport,
  ObservedMachine,
  ObservedVolume,
} from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import { historyOf } from '../history.ts';
import type { ImportParts, PreflightMemory } from '../import-world.ts';
import { namesOf } from '../names.ts';
import { type DiskPlan, decodePlan, hashSpec, type PlanRecord } from '../plan-record.ts';
import { foreignTo } from '../preflight/rival.ts';
import type { TransferResult } from '../transfers/transfer-record.ts';
import { dataVolumesOf } from './data-volumes-of.ts';
import { explainSilence } from './explain-silence.ts';
import { imagesOf } from './images-of.ts';
import { type ImagedDisk, observeImageDisk } from './observe-image-disk.ts';
import { diskOf, epochOf, mayWrite, observeTransfer } from './observe-transfer.ts';

export interface Observation {
  readonly seen: ObservedImport;
  /** Undefined before preflight, or when it did not pass. */
  readonly preflight: PreflightMemory | undefined;
  /** The one in force; stays when an edit of the spec is refused. */
  readonly plan: PlanRecord | undefined;
  /** Of the disks that are done, by their number. */
  readonly results: ReadonlyMap<number, TransferResult>;
}

/**
 * Gathers everything one decision may look at. What watches have not brought is asked for before it counts as absent: they may lag behind our own writes, and nothing must be made
 * twice.
 */
export async function observeImport(
  parts: ImportParts,
  machineImport: VirtualMachineImport,
  options: CallOptions = {},
): Promise<Observation> {
  const { metadata, spec, status } = machineImport;
  const isDeleting = metadata.deletionTimestamp !== undefined;
  const history = historyOf(machineImport);
  const plan = await observePlan(parts, machineImport, options);
  const preflight = preflightOf(parts, machineImport, plan);
  const machine = await observeMachine(parts, machineImport, plan, options);
  const isDone = history === 'finished' && !isDeleting;
  const results = new Map<number, TransferResult>();
  const disks =
    plan === undefined || isDone ? [] : await observeDisks(parts, machineImport, { plan, results }, options);
  const seen: ObservedImport = {
    now: parts.clock.now(),
    isDeleting,
    hasFinalizer: metadata.finalizers?.includes(IMPORT_FINALIZER) ?? false,
    isSuspended: spec.suspend,
    // In an import that nobody has looked at yet it asks for nothing.
    isRetryAsked:
      spec.retry !== undefined &&
      spec.retry !== status.progress?.retry &&
      (status.progress !== undefined || history === 'finished'),
    history,
    preflight,
    // A file is never on. Sources with power tell it when they come.
    sourcePower: { state: 'off' },
    sourceReadyAt: parts.sourceReadyAt?.(metadata.uid ?? ''),
    disks,
    hasToldDisks: status.importStatus === importStatuses.imagesReady,
    machine: history === 'finished' ? { state: 'kept' } : machine,
    leftovers: isDeleting ? await findLeftovers(parts, machineImport, machine, options) : [],
  };
  return { seen, preflight, plan, results };
}

export function ownerOf({
  metadata,
}: {
  readonly metadata: Pick<VirtualMachineImport['metadata'], 'name' | 'uid'>;
}): OwnerReference {
  const { name, uid = '' } = metadata;
  return {
    apiVersion: 'migration.harvesterhci.io/v1beta1',
    kind: 'VirtualMachineImport',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The plan in force; undefined before preflight passed. */
export async function observePlan(
  parts: ImportParts,
  machineImport: VirtualMachineImport,
  options: CallOptions,
): Promise<PlanRecord | undefined> {
  const { uid = '', namespace = '' } = machineImport.metadata;
  const known = parts.preflights.get(uid)?.plan;
  if (known !== undefined || historyOf(machineImport) !== 'ours') return known;
  const stored: ConfigMap | undefined = await parts.cluster.get(
    configMapKind,
    { namespace, name: namesOf(uid).plan },
    options,
  );
  const plan = stored && decodePlan(stored);
  if (plan !== undefined) {
    const { specHash, ranAt, findings } = plan;
    parts.preflights.set(uid, { specHash, ranAt, findings, plan });
  }
  return plan;
}

/** Only what was said of the spec as it is now counts. */
function preflightOf(
  { preflights }: ImportParts,
  { metadata, spec }: VirtualMachineImport,
  plan: PlanRecord | undefined,
): PreflightMemory | undefined {
  const hash = hashSpec(spec);
  const known = preflights.get(metadata.uid ?? '');
  if (known?.specHash === hash) return known;
  if (plan?.specHash !== hash) return undefined;
  return { specHash: hash, ranAt: plan.ranAt, findings: plan.findings, plan };
}

async function observeDisks(
  parts: ImportParts,
  machineImport: VirtualMachineImport,
  { plan, results }: { readonly plan: PlanRecord; readonly results: Map<number, TransferResult> },
  options: CallOptions,
): Promise<ObservedDisk[]> {
  const { uid = '', namespace = '' } = machineImport.metadata;
  const owner = ownerOf(machineImport);
  const jobs = parts.objects.jobs(uid);
  const pods = parts.objects.pods(uid);
  const disks: ObservedDisk[] = [];
  for (const disk of plan.disks) {
    const { index } = disk;
    const place = { namespace, owner, disk: index };
    const { state } = await parts.transfers.read(place, options);
    const told = machineImport.status.progress?.disks?.find((each) => each.index === index)?.epoch ?? 0;
    const ownJobs = jobs.filter((each) => diskOf(each) === index);
    const found = await jobOfRun(parts, { namespace, uid, index, epoch: state.epoch }, ownJobs, options);
    const live = parts.live.get(namesOf(uid).transfer(index));
    const ownPods = pods.filter((each) => diskOf(each) === index);
    const run = await explainSilence(
      parts.cluster,
      {
        transfer: observeTransfer({ jobs: found, pods: ownPods, state, live }),
        job: found.find((each) => epochOf(each) === state.epoch),
        pod: ownPods.find(mayWrite),
        now: parts.clock.now(),
      },
      options,
    );
    const imaged = await observeImageDisk(parts, machineImport, disk, { run, state, live }, options);
    const transfer = imaged === undefined ? run : imaged.transfer;
    const volume =
      state.result !== undefined || imaged?.hasVolume === false
        ? ({ state: state.result === undefined ? 'absent' : 'bound' } as const)
        : await observeVolume(parts, machineImport, disk, options);
    const isDone = state.result !== undefined || (imaged !== undefined && isEnough(imaged, volume));
    if (state.result !== undefined) results.set(index, state.result);
    const wanted = { id: namesOf(uid).transfer(index), host: plan.sourceHost };
    const mayStart = !isDone && (transfer === undefined || transfer.state === 'failed');
    const queuedFor = mayStart ? parts.slots.blocked(wanted) : undefined;
    disks.push({
      index,
      volume,
      epoch: Math.max(state.epoch, told),
      transfer,
      isDone,
      ...(imaged === undefined ? {} : { image: imaged.image }),
      ...(queuedFor === undefined ? {} : { queuedFor }),
    });
  }
  return disks;
}

/** Nothing is to be proven where nobody wants it, nor of what the old controller made. */
function isEnough({ image, isUnproven }: ImagedDisk, { state }: ObservedVolume): boolean {
  return isUnproven && image.state === 'imported' && (state === 'bound' || state === 'pending');
}

async function jobOfRun(
  { cluster }: ImportParts,
  run: { readonly namespace: string; readonly uid: string; readonly index: number; readonly epoch: number },
  known: readonly Job[],
  options: CallOptions,
): Promise<readonly Job[]> {
  const { namespace, uid, index, epoch } = run;
  if (epoch === 0 || known.some((each) => epochOf(each) === epoch)) return known;
  const job = await cluster.get(jobKind, { namespace, name: namesOf(uid).job(index, epoch) }, options);
  return job === undefined ? known : [...known, job];
}

async function observeVolume(
  { cluster, objects }: ImportParts,
  { metadata }: VirtualMachineImport,
  { claimName, storageClass, image }: DiskPlan,
  options: CallOptions,
): Promise<ObservedVolume> {
  const { uid = '', namespace = '' } = metadata;
  const known = objects.claims(uid).find((each) => each.metadata.name === claimName);
  const claim = known ?? (await cluster.get(persistentVolumeClaimKind, { namespace, name: claimName }, options));
  const isCdis = image?.backend === 'cdi' || image?.backend === 'upload';
  if (claim === undefined && isCdis)
    return { state: 'lost', message: `claim "${claimName}", which CDI makes, is not there` };
  if (claim === undefined) return { state: 'absent' };
  const thing = `PersistentVolumeClaim "${claimName}" in namespace "${namespace}"`;
  // CDI's own, and the old controller's, carry no label of ours.
  const isOurs = image !== undefined && (isCdis || image.isAdopted) && claimName === image.name;
  const foreign = isOurs ? undefined : foreignTo(uid, claim, thing, { objects, otherwise: 'VolumeExists' });
  if (foreign !== undefined) return { state: 'foreign', ...foreign };
  if (claim.metadata.deletionTimestamp !== undefined) return { state: 'going' };
  if (claim.status?.phase === 'Bound') return { state: 'bound' };
  if (claim.status?.phase === 'Lost') return { state: 'lost', message: `claim "${claimName}" has lost its volume` };
  const isWaitingForConsumer = await waitsForConsumer(cluster, storageClass, options);
  const message = isWaitingForConsumer ? undefined : await provisionerMessage(cluster, claim, options);
  return {
    state: 'pending',
    isWaitingForConsumer,
    since: Date.parse(claim.metadata.creationTimestamp ?? '') || 0,
    ...(message === undefined ? {} : { message }),
  };
}

async function waitsForConsumer(cluster: ImportParts['cluster'], name: string | undefined, options: CallOptions) {
  if (name === undefined) return false;
  const storageClass = await cluster.get(storageClassKind, { name }, options);
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
}

/** The last thing that anybody said about the claim, in its own words. */
async function provisionerMessage(
  cluster: ImportParts['cluster'],
  { metadata }: PersistentVolumeClaim,
  options: CallOptions,
): Promise<string | undefined> {
  const fields = { 'involvedObject.uid': metadata.uid ?? '' };
  let last: { readonly at: string; readonly text: string } | undefined;
  for await (const event of cluster.list(eventKind, { ...options, namespace: metadata.namespace, fields })) {
    const at = event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';
    if (last === undefined || at >= last.at) last = { at, text: `${event.reason ?? ''}: ${event.message ?? ''}` };
  }
  return last && `claim "${metadata.name}": ${last.text}`;
}

async function observeMachine(
  { cluster, objects }: ImportParts,
  { metadata, spec, status }: VirtualMachineImport,
  plan: PlanRecord | undefined,
  options: CallOptions,
): Promise<ObservedMachine> {
  const name = plan?.targetName ?? status.importedVirtualMachineName;
  const { uid, namespace = '' } = metadata;
  if (name === undefined) return { state: 'absent' };
  const known = objects.machine(namespace, name);
  const machine = known ?? (await cluster.get(virtualMachineKind, { namespace, name }, options));
  if (machine === undefined) return { state: 'absent' };
  const isUpstreams = status.progress === undefined && status.importStatus === importStatuses.machineCreated;
  const thing = `VirtualMachine "${name}" in namespace "${namespace}"`;
  const foreign = isUpstreams ? undefined : foreignTo(uid, machine, thing, { objects, otherwise: 'MachineExists' });
  if (foreign !== undefined) return { state: 'foreign', ...foreign };
  const message = machineMessage(machine);
  return {
    state: 'created',
    createdAt: Date.parse(machine.metadata.creationTimestamp ?? '') || 0,
    mayRun: spec.run,
    isReady: machine.status?.ready === true,
    ...(message === undefined ? {} : { message }),
  };
}

function machineMessage({ status }: VirtualMachine): string | undefined {
  const wrong = status?.conditions?.find(({ type, status: is, message }) => {
    const isBad = type === 'Failure' ? is === 'True' : type === 'Ready' && is === 'False';
    return isBad && message !== undefined;
  });
  const state = status?.printableStatus;
  if (state === undefined && wrong?.message === undefined) return undefined;
  return [state, wrong?.message].filter((each) => each !== undefined).join(': ');
}

/**
 * What the import made and a deletion takes away. A machine that was made is the user's, and so are its disks: all of it was copied and proven by then. Asked of the API itself, because
 * here a missing object decides.
 */
async function findLeftovers(
  { cluster }: ImportParts,
  { metadata }: VirtualMachineImport,
  machine: ObservedMachine,
  options: CallOptions,
): Promise<Leftover[]> {
  const { uid = '', namespace } = metadata;
  const list = { ...options, namespace, labels: { [IMPORT_UID_LABEL]: uid } };
  const leftovers: Leftover[] = [];
  const note = ({ kind, metadata: { name, deletionTimestamp } }: KubernetesObject) =>
    leftovers.push({ kind, name, isGoing: deletionTimestamp !== undefined });
  for await (const job of cluster.list(jobKind, list)) note(job);
  for await (const pod of cluster.list(podKind, list)) if (mayWrite(pod)) note(pod);
  for await (const configMap of cluster.list(configMapKind, list)) note(configMap);
  // Only when nobody writes any more.
  if (leftovers.length === 0 && machine.state !== 'created' && machine.state !== 'kept')
    for (const each of await dataVolumesOf(cluster, metadata, options)) note(each);
  // Not while CDI would make them again.
  if (leftovers.length === 0 && machine.state !== 'created' && machine.state !== 'kept')
    for await (const claim of cluster.list(persistentVolumeClaimKind, list)) note(claim);
  // Harvester refuses to remove an image that a volume is made of.
  if (leftovers.length === 0 && machine.state !== 'created' && machine.state !== 'kept')
    for (const image of await imagesOf(cluster, metadata, options)) note(image);
  return leftovers;
}
