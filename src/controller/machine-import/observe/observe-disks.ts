import { type Job, jobKind } from '../../../api/core-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { ObservedDisk, ObservedVolume } from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import { namesOf } from '../names.ts';
import { ownerOf } from '../objects/owner.ts';
import type { PlanRecord } from '../plan-record.ts';
import type { TransferResult } from '../transfers/transfer-record.ts';
import { explainSilence } from './explain-silence.ts';
import { type ImagedDisk, observeImageDisk } from './observe-image-disk.ts';
import { diskOf, epochOf, mayWrite, observeTransfer } from './observe-transfer.ts';
import { observeVolume } from './observe-volume.ts';

/** How far each disk is; `results` is told of those that are done. */
export async function observeDisks(
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
