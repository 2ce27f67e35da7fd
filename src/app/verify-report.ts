import { isProblem, ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { Source } from '../ports/source.ts';
import type { DataPlane, DifferingRange, DiskDigest, RateLimiter } from '../ports/transfer.ts';
import { type DiskReport, type ImportReport, importReportSchema } from './import-report.ts';
import { limitReader } from './limit-reader.ts';
import { findDigestProblem } from './report-digest.ts';
import { prepareSourceDisks } from './source-disks.ts';

/** What one look at a disk found. */
export interface Comparison {
  readonly status: 'identical' | 'different' | 'unverifiable';
  /** Ranges of the disk in bytes that differ from the report. */
  readonly differences: readonly DifferingRange[];
  /** Why, when unverifiable or when more than the content differs. */
  readonly reason?: string;
}

/** One disk of a finished import, looked at again. */
export interface DiskVerification extends Comparison {
  readonly file: string;
  /** The same disk on the source, where that was looked at too. */
  readonly source?: Comparison;
}

export interface VerifyOptions extends CallOptions {
  /** The source of the import, to be read again too. */
  readonly source?: Source | undefined;
  /** Slows the reading down, of target and source alike. */
  readonly rateLimiter?: RateLimiter | undefined;
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  readonly file: string;
  readonly side: 'target' | 'source';
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface VerifyParts {
  readonly dataPlane: Pick<DataPlane, 'compareDisk'>;
  /** @throws ProblemError `ReportUnusable` when there is no such file */
  readReport(path: string): Promise<string>;
  /** Opens a disk that lies beside the report, or where the report says. @throws ProblemError when it cannot be opened */
  openDisk(reportPath: string, disk: DiskReport): Promise<DiskReader>;
}

/**
 * Reads the disks of a finished import again, first all on the target, then all on the source where one is given, and compares them with the report.
 * @throws ProblemError `ReportUnusable`, also for a report whose digests contradict each other
 */
export async function verifyReport(
  parts: VerifyParts,
  reportPath: string,
  options: VerifyOptions = {},
): Promise<DiskVerification[]> {
  const report = parseReport(reportPath, await parts.readReport(reportPath));
  const results: DiskVerification[] = [];
  for (const disk of report.disks) {
    const open = () => parts.openDisk(reportPath, disk);
    results.push({ file: disk.file, ...(await compare(parts, disk, 'target', open, options)) });
  }
  if (options.source === undefined) return results;
  const comparisons = await compareSource(parts, report, options.source, options);
  return results.map((result, index) => ({ ...result, ...comparisons[index] }));
}

/** In the order in which the source passes the disks. A source without the machine, or that cannot be read, is an answer for each disk. */
async function compareSource(
  parts: VerifyParts,
  report: ImportReport,
  source: Source,
  options: VerifyOptions,
): Promise<{ readonly source: Comparison }[]> {
  const opens = await orReason(() => prepareSourceDisks(source, report, options));
  if (typeof opens === 'string') return report.disks.map(() => ({ source: unverifiable(opens) }));
  const found = new Map<DiskReport, Comparison>();
  for (const { disk, open } of opens) found.set(disk, await compare(parts, disk, 'source', open, options));
  return report.disks.map((disk) => ({
    source: found.get(disk) ?? unverifiable('the source no longer has this disk'),
  }));
}

async function compare(
  { dataPlane }: VerifyParts,
  { file, digest, virtualSizeBytes }: DiskReport,
  side: VerifyProgress['side'],
  open: () => Promise<DiskReader>,
  options: VerifyOptions,
): Promise<Comparison> {
  if (digest === undefined)
    return unverifiable('the import was made with --verify none, so there is nothing to compare with');
  const result = await orReason(async () => {
    await using reader = await open();
    const wrongSize = compareSize(side, reader.virtualSizeBytes, virtualSizeBytes);
    return wrongSize ?? (await compareContent(reader, digest));
  });
  // A disk that cannot be looked at is an answer of its own; the others are still compared.
  return typeof result === 'string' ? unverifiable(result) : result;

  async function compareContent(reader: DiskReader, expected: DiskDigest): Promise<Comparison> {
    const differences = await dataPlane.compareDisk(limitReader(reader, virtualSizeBytes), expected, {
      signal: options.signal,
      rateLimiter: options.rateLimiter,
      onProgress: (doneBytes, totalBytes) => options.onProgress?.({ file, side, doneBytes, totalBytes }),
    });
    return { status: differences.length === 0 ? 'identical' : 'different', differences };
  }
}

/** A target may have more room than the disk needs; a source whose disk grew is another one. */
function compareSize(side: VerifyProgress['side'], actual: number, expected: number): Comparison | undefined {
  if (actual === expected || (side === 'target' && actual > expected)) return undefined;
  const offset = Math.min(actual, expected);
  const reason = `the disk is ${actual < expected ? 'shorter' : 'longer'} than it was: ${actual} instead of ${expected} bytes`;
  return { status: 'different', differences: [{ offset, length: Math.abs(actual - expected) }], reason };
}

function unverifiable(reason: string): Comparison {
  return { status: 'unverifiable', differences: [], reason };
}

/** What was found, or why nothing could be. @throws ProblemError `Interrupted` */
async function orReason<T>(look: () => Promise<T>): Promise<T | string> {
  try {
    return await look();
  } catch (error) {
    if (isProblem(error) && error.code !== 'Interrupted') return `${error.code}: ${error.message}`;
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
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ProblemError(
      'ReportUnusable',
      `${path} is not a report of an import: ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }
  for (const disk of parsed.data.disks) {
    const problem = findDigestProblem(disk);
    if (problem !== undefined) throw new ProblemError('ReportUnusable', `${path} was changed: ${problem}`);
  }
  return parsed.data;
}
