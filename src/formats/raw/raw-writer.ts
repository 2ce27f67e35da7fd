import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { StorageFile } from '../../ports/storage.ts';
import { openRawImage } from './raw-image.ts';

/**
 * Writes a sparse raw image. A file of an earlier run is continued: it is only brought to its size, and what is in it stays. Disposing the writer disposes the file.
 * @throws ProblemError `TargetFull`, `TargetWriteFailed`, `TargetReadFailed`
 */
export async function createRawWriter(file: StorageFile, virtualSizeBytes: number): Promise<DiskWriter> {
  try {
    const isContinued = (await file.sizeBytes()) === virtualSizeBytes;
    if (!isContinued) {
      // Not what an earlier run of this disk left: nothing in it may be believed.
      await file.truncate(0);
      await file.truncate(virtualSizeBytes);
    }
    return new RawWriter(file, await openRawImage(file), isContinued);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

class RawWriter implements DiskWriter {
  readonly virtualSizeBytes: number;
  readonly isKnownZero = true;
  readonly read: DiskWriter['read'];
  readonly hasLeaf: NonNullable<DiskWriter['hasLeaf']>;
  readonly #file: StorageFile;

  constructor(file: StorageFile, image: Awaited<ReturnType<typeof openRawImage>>, isContinued: boolean) {
    this.hasLeaf = () => isContinued;
    this.#file = file;
    this.virtualSizeBytes = image.virtualSizeBytes;
    this.read = image.read;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    if (offset + bytes.length > this.virtualSizeBytes) {
      throw new RangeError(`${bytes.length} bytes at ${offset} leave the disk of ${this.virtualSizeBytes}`);
    }
    await this.#file.write(offset, bytes);
  }

  async flush(): Promise<void> {
    await this.#file.sync();
  }

  async finish(): Promise<void> {
    await this.#file.sync();
  }

  async allocatedBytes(): Promise<number> {
    return await this.#file.allocatedBytes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
