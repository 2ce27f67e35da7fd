import { ProblemError } from '../../domain/problems.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { LaneTarget } from '../../ports/lane.ts';
import type { StorageFile } from '../../ports/storage.ts';
import { storageImageFile } from '../storage-image-file.ts';
import { openRaw } from './open-raw.ts';

export interface RawWriterOptions {
  /** For a target that may hold anything, as a device does: makes whole blocks of it read as zeroes. A new file needs none. */
  readonly zero?: NonNullable<DiskWriter['zero']>;
}

/**
 * Writes a sparse raw image. A file of an earlier run is continued: it is only brought to its size, and what is in it stays. Disposing the writer disposes the file.
 * @throws ProblemError `TargetFull`, `TargetWriteFailed`, `TargetReadFailed`
 */
export async function createRawWriter(
  file: StorageFile,
  virtualSizeBytes: number,
  options: RawWriterOptions = {},
): Promise<DiskWriter> {
  try {
    const isContinued = (await file.sizeBytes()) === virtualSizeBytes;
    if (!isContinued) {
      // Not what an earlier run of this disk left: nothing in it may be believed.
      await file.truncate(0);
      await file.truncate(virtualSizeBytes);
    }
    return new RawWriter(file, virtualSizeBytes, isContinued, options);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

class RawWriter implements DiskWriter {
  readonly virtualSizeBytes: number;
  readonly isKnownZero: boolean;
  readonly zero?: NonNullable<DiskWriter['zero']>;
  readonly laneTarget: LaneTarget | undefined;
  readonly hasLeaf: NonNullable<DiskWriter['hasLeaf']>;
  readonly #file: StorageFile;

  constructor(file: StorageFile, virtualSizeBytes: number, isContinued: boolean, { zero }: RawWriterOptions) {
    if (zero !== undefined) this.zero = zero;
    this.isKnownZero = zero === undefined;
    this.hasLeaf = () => isContinued;
    this.#file = file;
    this.virtualSizeBytes = virtualSizeBytes;
    const { path, name } = file;
    this.laneTarget = path === undefined ? undefined : { raw: { path, name } };
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#refuseOutside(offset, bytes);
    await this.#file.write(offset, bytes);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    this.#refuseOutside(offset, into);
    const bytes = await this.#file.read(offset, into);
    if (bytes === into.length) return;
    throw new ProblemError(
      'DiskImageTruncated',
      `${this.#file.name} ends at byte ${offset + bytes} and had ${this.virtualSizeBytes}`,
    );
  }

  async flush(): Promise<void> {
    await this.#file.sync();
  }

  async finish(): Promise<void> {
    await this.#file.sync();
  }

  async openWritten(): Promise<DiskReader> {
    const { virtualSizeBytes } = this;
    const main = await storageImageFile(this.#file);
    // The size is asked for, so that a file that was cut or grew meanwhile is no disk of this size.
    return await openRaw({ main, open: () => Promise.reject(new Error('raw names no files')) }, { virtualSizeBytes });
  }

  async allocatedBytes(): Promise<number> {
    return await this.#file.allocatedBytes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  #refuseOutside(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length <= this.virtualSizeBytes) return;
    throw new RangeError(`${bytes.length} bytes at ${offset} leave the disk of ${this.virtualSizeBytes}`);
  }
}
