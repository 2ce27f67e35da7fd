import { ProblemError } from '../../domain/problems.ts';
import { openWrittenQcow2 } from '../../formats/qcow2/open-written-qcow2.ts';
import { openRaw } from '../../formats/raw/open-raw.ts';
import { storageImageFile } from '../../formats/storage-image-file.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import { openForReading } from './node-storage.ts';

/**
 * Opens a disk of a finished import for reading. The caller disposes the reader, which closes the file.
 * @param virtualSizeBytes what the disk had on the source; a qcow2 may have been filled up to a whole sector, which the reader then leaves out
 * @throws ProblemError `ReportUnusable` when it is not there, and what its format finds wrong
 */
export async function openImportedDisk(
  path: string,
  format: 'qcow2' | 'raw',
  virtualSizeBytes?: number,
): Promise<DiskReader> {
  const file = await openForReading(path);
  if (file === undefined) throw new ProblemError('ReportUnusable', `there is no ${path}`, { context: { path } });
  const main = await storageImageFile(file, { ownsFile: true }).catch(async (error: unknown) => {
    await file[Symbol.asyncDispose]();
    throw error;
  });
  if (format === 'qcow2') return await openWrittenQcow2(main, virtualSizeBytes);
  return await openRaw({ main, open: () => Promise.reject(new Error('raw names no files')) });
}
