import type { ZeroMethod } from '../../formats/raw/device-disk.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';

/** What a claim gives a Pod: a block device, or a folder on a file system. It takes one disk, raw and from its first byte on, and nothing else. */
export interface Volume extends AsyncDisposable {
  /** Whether there is something that an earlier run can have written. */
  hasDisk(): Promise<boolean>;
  /**
   * @param options.isContinued whether what an earlier run wrote may be believed; otherwise nothing on the volume is
   * @throws ProblemError `TargetTooSmall`, `TargetFull`, `TargetWriteFailed`
   */
  openDisk(virtualSizeBytes: number, options: { readonly isContinued: boolean }): Promise<DiskWriter>;
  allocatedBytes(): Promise<number>;
  /** How holes became zeroes (ruling 5). Undefined while there was none, or where what is new is zero. */
  readonly zeroMethod: ZeroMethod | undefined;
}
