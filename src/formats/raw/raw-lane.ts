import type { LaneWriter } from '../../ports/lane.ts';
import { LaneFile } from '../lane-file.ts';

/** Writes blocks of a raw image at their own offsets. @throws ProblemError `TargetNotWritable`, `TargetFull`, `TargetWriteFailed` */
export function openRawLane(
  target: { readonly path: string; readonly name: string },
  virtualSizeBytes: number,
): LaneWriter {
  const file = new LaneFile(target);
  return {
    write(offset, blocks) {
      if (offset + blocks.length > virtualSizeBytes) {
        throw new RangeError(`${blocks.length} bytes at ${offset} leave the disk of ${virtualSizeBytes}`);
      }
      file.write(offset, blocks);
      return [];
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}
