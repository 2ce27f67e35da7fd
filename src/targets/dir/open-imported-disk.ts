import { ProblemError } from '../../domain/problems.ts';
import { openQcow2Image } from '../../formats/qcow2/qcow2-image.ts';
import { openRawImage } from '../../formats/raw/raw-image.ts';
import type { ReadableDisk } from '../../ports/transfer.ts';
import { openForReading } from './node-storage.ts';

/** Opens a disk of a finished import for reading. @throws ProblemError `ReportUnusable` when it is not there, and what its format finds wrong */
export async function openImportedDisk(path: string, format: 'qcow2' | 'raw'): Promise<ReadableDisk & AsyncDisposable> {
  const file = await openForReading(path);
  if (file === undefined) throw new ProblemError('ReportUnusable', `there is no ${path}`, { context: { path } });
  try {
    const image = format === 'qcow2' ? await openQcow2Image(file) : await openRawImage(file);
    return {
      virtualSizeBytes: image.virtualSizeBytes,
      read: (offset, into) => image.read(offset, into),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}
