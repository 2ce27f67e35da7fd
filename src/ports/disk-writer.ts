import type { DiskReader } from './disk-reader.ts';
import type { LanePlace, LaneTarget } from './lane.ts';

/**
 * A disk on the target, opened for writing. The engine writes whole blocks (BLOCK_BYTES aligned; the last one may be short), in any order, a block more
 * than once if the source does, and never all-zero blocks onto a target that is known to be zero.
 */
export interface DiskWriter extends AsyncDisposable {
  readonly virtualSizeBytes: number;
  /** True when what was never written reads as zeroes. */
  readonly isKnownZero: boolean;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Fills `into` with what the disk holds at `offset`; holes as zeroes. Valid at any time, also before `flush`. */
  read(offset: number, into: Uint8Array): Promise<void>;
  /**
   * Makes whole blocks of a target that is not known to be zero read as zeroes, without writing them where the platform can (ruling 5). Absent on targets that are known
   * to be zero.
   */
  zero?(offset: number, length: number): Promise<void>;
  /** Plain data from which a lane can open the target and write whole blocks itself; absent where only this process can write. */
  readonly laneTarget?: LaneTarget | undefined;
  /** Told where lanes put blocks, before the leaf they belong to is recorded. Absent where the offset in the disk says it all. */
  adoptPlaces?(places: readonly LanePlace[]): void;
  /**
   * Told when a leaf is complete and all its writes have returned, with its digest (32 bytes; empty without verification), before the `flush` that makes it durable. Absent where a written byte needs no
   * further record to be found again. A leaf may be recorded again after it was reopened; the last record wins.
   */
  recordLeaf?(leaf: number, digest: Uint8Array): void;
  /** Says whether a leaf of an earlier run is still there. Absent: every byte flushed is. */
  hasLeaf?(leaf: number): boolean;
  /** Returns when every write and every recorded leaf before it would survive a power cut. */
  flush(): Promise<void>;
  /** Writes what is derived from the data (tables, sizes) and flushes. After it the file is complete and `read` goes through those tables. */
  finish(): Promise<void>;
  /**
   * After `finish`: opens what was written as any image is opened, through its own tables, to compare it with what was read. The writer stays open; disposing the reader closes
   * what it opened.
   */
  openWritten(): Promise<DiskReader>;
  /** Space the disk takes up on the target now. */
  allocatedBytes(): Promise<number>;
}
