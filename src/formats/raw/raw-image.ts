import { ProblemError } from '../../domain/problems.ts';
import type { StorageFile } from '../../ports/storage.ts';

/** Random reading of a finished image, for comparing it with what was to be written. */
export interface RawImage {
  readonly virtualSizeBytes: number;
  /** Fills `into` with what the disk holds at `offset`. @throws ProblemError `DiskImageTruncated` when the file became shorter */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** The caller keeps the file and disposes it. */
export async function openRawImage(file: StorageFile): Promise<RawImage> {
  const virtualSizeBytes = await file.sizeBytes();
  return {
    virtualSizeBytes,
    async read(offset, into) {
      if (offset + into.length > virtualSizeBytes) {
        throw new RangeError(`${into.length} bytes at ${offset} leave the disk of ${virtualSizeBytes}`);
      }
      const bytes = await file.read(offset, into);
      if (bytes === into.length) return;
      throw new ProblemError(
        'DiskImageTruncated',
        `${file.name} ends at byte ${offset + bytes} and had ${virtualSizeBytes}`,
      );
    },
  };
}
