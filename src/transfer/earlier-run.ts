import { ProblemError } from '../domain/problems.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { TransferOptions } from '../ports/transfer.ts';
import { type Checkpoint, decodeCheckpoint } from './checkpoint.ts';

/** Under which key a disk's checkpoint lies with the target. */
export function checkpointKey(index: number): string {
  return `disk-${index}`;
}

/**
 * What an interrupted run left of this disk, if it can be continued. Undefined: the disk is copied from its start, and anything left of it is to be discarded.
 * @throws ProblemError `SourceChanged`, `PlanChanged` when only the user can decide
 */
export async function findEarlierRun(reader: DiskReader, options: TransferOptions): Promise<Checkpoint | undefined> {
  const { target, index, onRemark } = options;
  const bytes = await target.loadState(checkpointKey(index));
  if (bytes === undefined) return undefined;
  const checkpoint = decodeCheckpoint(bytes);
  if (checkpoint === undefined) {
    onRemark?.(`the checkpoint of disk ${index} is damaged; the disk is copied from its start`);
    return undefined;
  }
  if (checkpoint.fileName !== target.diskFileName(index)) {
    throw new ProblemError(
      'PlanChanged',
      `the earlier run wrote ${checkpoint.fileName}; this one would write ${target.diskFileName(index)}`,
    );
  }
  if (!(await target.hasDisk(index))) {
    onRemark?.(`${checkpoint.fileName} is gone since the earlier run; the disk is copied from its start`);
    return undefined;
  }
  if (checkpoint.contentId !== reader.contentId) {
    throw new ProblemError(
      'SourceChanged',
      `disk ${index} was begun from "${checkpoint.contentId}" and is now "${reader.contentId}"`,
    );
  }
  if (checkpoint.isHashing !== (options.verify === 'readback')) {
    throw new ProblemError(
      'PlanChanged',
      `disk ${index} was begun with --verify ${checkpoint.isHashing ? 'readback' : 'none'}`,
    );
  }
  return checkpoint;
}
