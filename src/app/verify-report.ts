import { isProblem, ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DataPlane, DifferingRange, ReadableDisk } from '../ports/transfer.ts';
import { type DiskReport, type ImportReport, importReportSchema } from './import-report.ts';

/** One disk of a finished import, looked at again. */
export interface DiskVerification {
  readonly file: string;
  readonly status: 'identical' | 'different' | 'unverifiable';
  /** Ranges of the disk in bytes that differ. */
  readonly differences: readonly DifferingRange[];
  /** Why, when unverifiable. */
  readonly reason?: string;
}

export interface VerifyOptions extends CallOptions {
  readonly onProgress?: (progress: {
    readonly file: string;
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
}

export interface VerifyParts {
  readonly dataPlane: DataPlane;
  /** @throws ProblemError `ReportUnusable` when there is no such file */
  readReport(path: string): Promise<string>;
  /** Opens a disk that lies beside the report. @throws ProblemError when it cannot be opened */
  openDisk(reportPath: string, file: string, format: DiskReport['format']): Promise<ReadableDisk & AsyncDisposable>;
}

/** Reads the disks of a finished import again and compares them with its report. @throws ProblemError `ReportUnusable` */
export async function verifyReport(
  parts: VerifyParts,
  reportPath: string,
  options: VerifyOptions = {},
): Promise<DiskVerification[]> {
  const report = parseReport(reportPath, await parts.readReport(reportPath));
  const results: DiskVerification[] = [];
  for (const disk of report.disks) results.push(await verifyDisk(parts, reportPath, disk, options));
  return results;
}

async function verifyDisk(
  parts: VerifyParts,
  reportPath: string,
  disk: DiskReport,
  options: VerifyOptions,
): Promise<DiskVerification> {
  const { file, digest, virtualSizeBytes } = disk;
  const unverifiable = (reason: string): DiskVerification => ({
    file,
    status: 'unverifiable',
    differences: [],
    reason,
  });
  if (digest === undefined)
    return unverifiable('the import was made with --verify none, so there is nothing to compare with');
  try {
    await using image = await parts.openDisk(reportPath, file, disk.format);
    if (image.virtualSizeBytes < virtualSizeBytes) {
      const missing = { offset: image.virtualSizeBytes, length: virtualSizeBytes - image.virtualSizeBytes };
      return { file, status: 'different', differences: [missing], reason: 'the disk is shorter than it was' };
    }
    const differences = await parts.dataPlane.compareDisk(
      { virtualSizeBytes, read: (offset, into) => image.read(offset, into) },
      digest,
      {
        signal: options.signal,
        onProgress: (doneBytes, totalBytes) => options.onProgress?.({ file, doneBytes, totalBytes }),
      },
    );
    return { file, status: differences.length === 0 ? 'identical' : 'different', differences };
  } catch (error) {
    // A disk that cannot be looked at is an answer of its own; the others are still compared.
    if (isProblem(error) && error.code !== 'Interrupted') return unverifiable(`${error.code}: ${error.message}`);
    throw error;
  }
}

function parseReport(path: string, text: string): ImportReport {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ProblemError('ReportUnusable', `${path} is not JSON`, { cause });
  }
  const parsed = importReportSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ProblemError(
    'ReportUnusable',
    `${path} is not a report of an import: ${issue?.path.join('.')}: ${issue?.message}`,
  );
}
