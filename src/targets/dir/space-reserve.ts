import { randomBytes } from 'node:crypto';
import { isProblem } from '../../domain/problems.ts';
import type { StorageFile, StorageFolder } from '../../ports/storage.ts';

const RESERVE_NAME = 'reserve';
/** Room for a journal's last records and a checkpoint. */
const RESERVE_BYTES = 256 * 1024;

/**
 * A little space put aside while there is some, and given back when a checkpoint or a journal's record finds none: a disk that is full to the last byte, which the image's own writes
 * and those of lanes make it, could not even take what says how far the copy came.
 */
export class SpaceReserve {
  readonly #folder: StorageFolder;
  #holding: Promise<void> | undefined;

  constructor(folder: StorageFolder) {
    this.#folder = folder;
  }

  /** Several disks may ask at once. @throws ProblemError `TargetFull` when there is not even room for this */
  async hold(): Promise<void> {
    this.#holding ??= this.#hold().finally(() => {
      this.#holding = undefined;
    });
    await this.#holding;
  }

  async #hold(): Promise<void> {
    await using file = await this.#folder.openFile(RESERVE_NAME, { create: true });
    if ((await file.sizeBytes()) === RESERVE_BYTES) return;
    // Random, so that a file system that compresses puts it aside too.
    await file.write(0, randomBytes(RESERVE_BYTES));
    await file.sync();
  }

  async release(): Promise<void> {
    await this.#folder.removeFile(RESERVE_NAME);
  }

  /**
   * Runs a write; where there is no space for it, gives the reserve back and runs it once more.
   * @throws ProblemError `TargetFull` when that did not help
   */
  async spend<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (!isProblem(error, 'TargetFull')) throw error;
      await this.release();
      return await write();
    }
  }

  /** The same file, whose writes may spend the reserve. */
  guard(file: StorageFile): StorageFile {
    return {
      name: file.name,
      path: file.path,
      write: (offset, bytes) => this.spend(() => file.write(offset, bytes)),
      read: (offset, into) => file.read(offset, into),
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      sizeBytes: () => file.sizeBytes(),
      allocatedBytes: () => file.allocatedBytes(),
      sync: () => file.sync(),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  }
}
