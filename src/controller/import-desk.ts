import { type Pod, persistentVolumeClaimKind, podKind } from '../api/core-kinds.ts';
import type {
  Assignment,
  ProofAssignment,
  SourceAssignment,
  TransferOutcome,
  TransferProgress,
  TransferRun,
} from '../api/transfer-protocol.ts';
import {
  readVirtualMachineImport,
  type VirtualMachineImport,
  virtualMachineImportKind,
} from '../api/virtual-machine-import.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import { parseRate } from '../lib/parse-rate.ts';
import type { ResolvedSource } from '../ports/source-adapter.ts';
import type { SourceRelay } from '../ports/source-relay.ts';
import type { UploadTicket } from '../ports/upload.ts';
import type { CurrentRun, StoredCheckpoint, TransferDesk, WorkerIdentity } from './endpoint/transfer-desk.ts';
import type { ImportSummary } from './machine-import/import-summary.ts';
import type { ImportParts } from './machine-import/import-world.ts';
import { namesOf, parseTransferId } from './machine-import/names.ts';
import { ownerOf } from './machine-import/objects/owner.ts';
import { IMAGE_PORT } from './machine-import/objects/transfer-job.ts';
import { observeImage } from './machine-import/observe/observe-image.ts';
import { observePlan } from './machine-import/observe/observe-plan.ts';
import { diskOf, epochOf } from './machine-import/observe/observe-transfer.ts';
import type { DiskPlan, PlanRecord } from './machine-import/plan-record.ts';
import { resolveSource } from './machine-import/preflight/preflight.ts';
import type { TransferState } from './machine-import/transfers/transfer-record.ts';
import type { TransferPlace } from './machine-import/transfers/transfer-store.ts';
import { uploadTicketOf } from './machine-import/transfers/upload-ticket.ts';

export interface ImportDeskOptions {
  readonly parts: ImportParts;
  /** What the watches know of an import; undefined when there is none. */
  readonly importOf: (uid: string) => ImportSummary | undefined;
  /** False until the watches have told everything: until then nobody knows which transfers there are not. */
  readonly isSynced: () => boolean;
  /** How a run ended is stored now. */
  readonly onOutcome?: ((outcome: TransferOutcome, summary: ImportSummary) => void) | undefined;
  /** Something about this import is worth a look: now if it is a milestone, else soon. */
  readonly onNews: (summary: ImportSummary, isMilestone: boolean) => void;
  /** Most connections of one transfer to its source. */
  readonly connections?: number | undefined;
}

interface Place extends TransferPlace {
  readonly summary: ImportSummary;
}

/** What workers ask and tell, answered from imports and their records. */
export class ImportDesk implements TransferDesk {
  readonly #options: ImportDeskOptions;

  constructor(options: ImportDeskOptions) {
    this.#options = options;
  }

  async findTransfer(id: string, options: CallOptions = {}): Promise<CurrentRun | undefined> {
    const place = this.#placeOf(id);
    if (place === undefined) return undefined;
    const { state } = await this.#options.parts.transfers.read(place, options);
    return state.epoch === 0 ? undefined : { epoch: state.epoch, namespace: place.namespace };
  }

  /** By uid, and by the Job that made it: a label can be given to any Pod. */
  async isWorker({ id, epoch }: TransferRun, worker: WorkerIdentity, options: CallOptions = {}): Promise<boolean> {
    const { parts } = this.#options;
    const { importUid, disk } = parseTransferId(id);
    const isIt = (pod: Pod) => pod.metadata.uid === worker.podUid && epochOf(pod) === epoch && diskOf(pod) === disk;
    const ref = { namespace: worker.namespace, name: worker.podName };
    const pod = parts.objects.pods(importUid).find(isIt) ?? (await parts.cluster.get(podKind, ref, options));
    if (pod === undefined || !isIt(pod)) return false;
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    return owner?.kind === 'Job' && owner.name === namesOf(importUid).job(disk, epoch);
  }

  async readAssignment({ id }: TransferRun, options: CallOptions = {}): Promise<Assignment> {
    const { machineImport, plan, index } = await this.#work(id, options);
    const disk = plan.disks.find((each) => each.index === index);
    if (disk === undefined) throw new ProblemError('TransferUnknown', `disk ${index} is not in the plan`);
    const { state } = await this.#options.parts.transfers.read(this.#need(id), options);
    if (state.stage === 'prove') return await this.#proofOf(machineImport, disk, state, options);
    const read = await this.#readingOf(machineImport, disk, options);
    if (state.stage === undefined) return { ...read, volume: await this.#volumeOf(machineImport, disk, options) };
    const { namespace = '' } = machineImport.metadata;
    const name = `${namespace}/${disk.image?.name}`;
    if (disk.image?.backend === 'upload') return { ...read, upload: { name } };
    if (disk.image === undefined || state.imageToken === undefined)
      throw new ProblemError('TransferUnknown', `disk ${index} has no image`);
    return { ...read, image: { token: state.imageToken, port: IMAGE_PORT, name } };
  }

  async isTaken({ id }: TransferRun, options: CallOptions = {}): Promise<boolean> {
    const { machineImport, plan, index } = await this.#work(id, options);
    const disk = plan.disks.find((each) => each.index === index);
    if (disk?.image === undefined) return false;
    const image = await observeImage(this.#options.parts, machineImport, { ...disk, image: disk.image }, options);
    return image.state === 'imported';
  }

  async readUpload({ id }: TransferRun, options: CallOptions = {}): Promise<UploadTicket | undefined> {
    const { machineImport, plan, index } = await this.#work(id, options);
    const disk = plan.disks.find((each) => each.index === index);
    if (disk?.image?.backend !== 'upload') throw new ProblemError('TransferUnknown', `disk ${index} is sent to nobody`);
    return await uploadTicketOf(this.#options.parts, machineImport, disk, options);
  }

  async openRelay({ id }: TransferRun, options: CallOptions = {}): Promise<SourceRelay> {
    const { machineImport } = await this.#work(id, options);
    return await relayOf(await resolveSource(this.#options.parts, machineImport, options), options);
  }

  async loadCheckpoint({ id }: TransferRun, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    return (await this.#options.parts.transfers.read(this.#need(id), options)).checkpoint;
  }

  async saveCheckpoint(
    { id, epoch }: TransferRun,
    checkpoint: StoredCheckpoint,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#options.parts.transfers.saveCheckpoint(this.#need(id), { epoch, ...checkpoint }, options);
  }

  async removeCheckpoint({ id, epoch }: TransferRun, options: CallOptions = {}): Promise<void> {
    await this.#options.parts.transfers.removeCheckpoint(this.#need(id), epoch, options);
  }

  reportProgress({ id }: TransferRun, progress: TransferProgress, { node }: WorkerIdentity): void {
    const { parts, onNews } = this.#options;
    const { phase, doneBytes, totalBytes, bytesPerSecond } = progress;
    const before = parts.live.get(id);
    const hasMoved = before === undefined || before.doneBytes !== doneBytes || before.phase !== phase;
    parts.live.set(id, {
      phase: phase === 'open' ? 'copy' : phase,
      doneBytes,
      totalBytes,
      bytesPerSecond,
      node,
      // A worker that only says that it is alive makes no progress.
      at: hasMoved ? parts.clock.now() : before.at,
    });
    const summary = this.#placeOf(id)?.summary;
    if (summary !== undefined) onNews(summary, false);
  }

  async reportOutcome({ id, epoch }: TransferRun, outcome: TransferOutcome, options: CallOptions = {}): Promise<void> {
    const { parts, onNews } = this.#options;
    const place = this.#need(id);
    if ('result' in outcome) await parts.transfers.saveResult(place, epoch, outcome.result, options);
    else if ('served' in outcome) await parts.transfers.saveServed(place, epoch, outcome.served, options);
    else {
      const { code, detail } = outcome.problem;
      await parts.transfers.saveProblem(place, { epoch, code, message: detail }, options);
    }
    this.#options.onOutcome?.(outcome, place.summary);
    onNews(place.summary, true);
  }

  async #readingOf(
    machineImport: VirtualMachineImport,
    disk: DiskPlan,
    options: CallOptions,
  ): Promise<SourceAssignment> {
    const { parts, connections } = this.#options;
    const source = await resolveSource(parts, machineImport, options);
    const { spec } = machineImport;
    const machine = source.machineRef({ name: spec.virtualMachineName, folder: spec.folder });
    const maxRate = spec.transfer.maxRate === undefined ? undefined : parseRate(spec.transfer.maxRate);
    return {
      source: await sourceOf(source, options),
      ...(machine === undefined ? {} : { machine }),
      disk: { id: disk.id, index: disk.index },
      verify: spec.transfer.verify,
      ...(maxRate === undefined ? {} : { maxRateBytesPerSecond: maxRate }),
      ...(connections === undefined ? {} : { connections }),
    };
  }

  async #proofOf(
    machineImport: VirtualMachineImport,
    disk: DiskPlan,
    { served }: TransferState,
    options: CallOptions,
  ): Promise<ProofAssignment> {
    const { index, id } = disk;
    if (served?.result.digest === undefined)
      throw new ProblemError('TransferUnknown', `nobody knows what disk ${index} has to be`);
    const { virtualSizeBytes, digest } = served.result;
    const volume = await this.#volumeOf(machineImport, disk, options);
    return { disk: { id, index }, volume, proof: { virtualSizeBytes, digest } };
  }

  async #volumeOf({ metadata }: VirtualMachineImport, { claimName }: DiskPlan, options: CallOptions) {
    const { namespace = '' } = metadata;
    const ref = { namespace, name: claimName };
    const claim = await this.#options.parts.cluster.get(persistentVolumeClaimKind, ref, options);
    if (claim?.metadata.uid === undefined)
      throw new ProblemError('VolumeLost', `claim "${claimName}" in namespace "${namespace}" is gone`);
    return { uid: claim.metadata.uid, name: `${namespace}/${claimName}` };
  }

  async #work(
    id: string,
    options: CallOptions,
  ): Promise<{ readonly machineImport: VirtualMachineImport; readonly plan: PlanRecord; readonly index: number }> {
    const { parts } = this.#options;
    const { namespace, summary, disk } = this.#need(id);
    const stored = await parts.cluster.get(virtualMachineImportKind, { namespace, name: summary.name }, options);
    if (stored === undefined || stored.metadata.uid !== summary.uid)
      throw new ProblemError('TransferUnknown', `the import of transfer ${id} is gone`);
    const machineImport = readVirtualMachineImport(stored).object;
    const plan = await observePlan(parts, machineImport, options);
    if (plan === undefined) throw new ProblemError('TransferUnknown', `the import of transfer ${id} has no plan`);
    return { machineImport, plan, index: disk };
  }

  #need(id: string): Place {
    const place = this.#placeOf(id);
    if (place === undefined) throw new ProblemError('TransferUnknown', `there is no transfer ${id}`);
    return place;
  }

  #placeOf(id: string): Place | undefined {
    const { importUid, disk } = parse(id) ?? {};
    if (importUid === undefined || disk === undefined) return undefined;
    const summary = this.#options.importOf(importUid);
    if (summary === undefined) {
      if (this.#options.isSynced()) return undefined;
      throw new ProblemError(
        'ClusterUnreachable',
        'this controller has just started and does not know all imports yet',
      );
    }
    const { namespace, name, uid } = summary;
    return { namespace, owner: ownerOf({ metadata: { name, uid } }), disk, summary };
  }
}

function parse(id: string): ReturnType<typeof parseTransferId> | undefined {
  try {
    return parseTransferId(id);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

async function sourceOf(source: ResolvedSource, options: CallOptions): Promise<SourceAssignment['source']> {
  const { direct, location, stallMs } = source;
  if (direct !== undefined) return direct;
  await using relay = await relayOf(source, options);
  return { relay: { path: relay.path, location, ...(stallMs === undefined ? {} : { stallMs }) } };
}

async function relayOf(source: ResolvedSource, options: CallOptions): Promise<SourceRelay> {
  if (source.openRelay === undefined) throw new Error(`${source.location} can neither be read directly nor relayed`);
  return await source.openRelay(options);
}
