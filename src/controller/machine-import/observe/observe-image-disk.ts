import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { ObservedImage } from '../../../domain/image-step.ts';
import { type ObservedTransfer, STALL_MS } from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import type { DiskPlan, ImagePlan } from '../plan-record.ts';
import type { LiveProgress } from '../status/status-facts.ts';
import type { TransferState } from '../transfers/transfer-record.ts';
import { observeImage } from './observe-image.ts';
import type { SeenImage } from './seen-image.ts';

export interface ImagedDisk {
  readonly image: ObservedImage;
  readonly transfer: ObservedTransfer | undefined;
  /** There can be a volume only when there is the image. */
  readonly hasVolume: boolean;
  /** The volume is all there will be: nobody compares it. */
  readonly isUnproven: boolean;
}

export interface RunSeen {
  readonly run: ObservedTransfer | undefined;
  readonly state: TransferState;
  readonly live: LiveProgress | undefined;
}

/** A disk with the image it becomes; undefined for one that becomes none. */
export async function observeImageDisk(
  parts: ImportParts,
  machineImport: VirtualMachineImport,
  disk: DiskPlan,
  { run, state, live }: RunSeen,
  options: CallOptions,
): Promise<ImagedDisk | undefined> {
  if (disk.image === undefined) return undefined;
  const { isAdopted } = disk.image;
  const isUnproven = isAdopted || machineImport.spec.transfer.verify === 'none';
  if (state.result !== undefined)
    return { image: { isAdopted, state: 'imported' }, transfer: run, hasVolume: true, isUnproven };
  const seen = await observeImage(parts, machineImport, { ...disk, image: disk.image }, options);
  const now = parts.clock.now();
  return {
    image: describeImage(seen, disk.image, disk.image.backend === 'upload' || isServed({ run, state, live })),
    transfer: transferOf({ run, state, live }, seen, now),
    hasVolume: seen.state === 'imported',
    isUnproven,
  };
}

/** A run that is to be given up serves nothing any more. */
function isServed({ run, state, live }: RunSeen): boolean {
  if (run?.state !== 'running' || state.stage !== 'serve' || state.problem?.epoch === state.epoch) return false;
  return live?.phase === 'serve' && live.at >= run.startedAt;
}

/** A DataVolume waits for its disk, an image is made of one that is served. */
function describeImage(seen: SeenImage, { isAdopted, backend }: ImagePlan, mayBeMade: boolean): ObservedImage {
  switch (seen.state) {
    case 'absent':
      return { isAdopted, state: 'absent', isServed: mayBeMade };
    case 'foreign':
      return { isAdopted, ...seen };
    case 'failed': {
      const code = backend === 'upload' ? 'UploadFailed' : 'ImageImportFailed';
      return { isAdopted, state: 'failed', code, message: seen.message };
    }
    case 'importing':
      return { isAdopted, state: 'importing', message: seen.message ?? '' };
    default:
      return { isAdopted, state: seen.state };
  }
}

/** The run whose disk was downloaded has succeeded, and the next one proves what became of it. One that serves and is not asked has a reason of its own. */
function transferOf({ run, state, live }: RunSeen, seen: SeenImage, now: number): ObservedTransfer | undefined {
  if (run === undefined) return undefined;
  const isOver = run.state === 'failed' || run.state === 'succeeded';
  if (isOver && state.served?.epoch === state.epoch && seen.state === 'imported') return undefined;
  const isSilent = run.state === 'running' && now - run.progressAt >= STALL_MS.transfer;
  if (isSilent && seen.state === 'importing' && seen.takesUpload === false)
    return { ...run, problem: { code: 'UploadNotReady', message: seen.message ?? '' } };
  if (!isSilent || live?.phase !== 'serve' || seen.state === 'imported') return run;
  const message = 'message' in seen && seen.message !== undefined ? seen.message : 'nobody downloads the image';
  return { ...run, problem: { code: 'ImageNotDownloaded', message } };
}
