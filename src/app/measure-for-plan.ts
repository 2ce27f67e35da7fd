import { isBlocker } from '../domain/finding.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { SourceRates } from '../ports/measure.ts';
import type { Source } from '../ports/source.ts';
import { estimateTransfer, ratesOf } from './estimate-transfer.ts';
import type { ImportPlan, PlannedDisk } from './import-plan.ts';
import { type MeasureParts, measureDisk, measureTarget } from './measure-transfer.ts';
import type { PlannedTarget } from './planned-target.ts';

export interface MeasureLimits {
  /** For everything together; source and target are measured one after the other, or each would slow the other. */
  readonly maxMs: number;
  /** Imports with less data than this are not worth being measured. */
  readonly minDataBytes?: number;
}

/** Parts of the time, which leave some for opening and closing. */
const READ_SHARE = 0.4;
const DECODE_SHARE = 0.06;
const TARGET_SHARE = 0.4;

/** Measures the largest disk and the target, and estimates the import by that; or says why not. @throws ProblemError `Interrupted` */
export async function measureForPlan(
  parts: MeasureParts,
  source: Source,
  target: PlannedTarget | undefined,
  plan: ImportPlan,
  { maxMs, minDataBytes = 0, signal }: MeasureLimits & CallOptions,
): Promise<Pick<ImportPlan, 'estimate' | 'notEstimated'>> {
  const { dataBytes, disks } = plan;
  const refusal = refusalOf(source, plan);
  if (refusal !== undefined) return { notEstimated: refusal };
  const largest = findLargest(disks);
  if (largest === undefined || dataBytes === undefined || dataBytes === 0 || dataBytes < minDataBytes) return {};
  try {
    const times = { readMs: maxMs * READ_SHARE, decodeMs: maxMs * DECODE_SHARE };
    const sourceRates = await measureDisk(parts, source, plan.machine, largest, { ...times, signal });
    if (sourceRates === undefined) return { notEstimated: 'no data came while the source was measured' };
    const targetTimes = { maxMs: maxMs * TARGET_SHARE, keepFreeBytes: dataBytes, signal };
    const targetRates = target && (await measureTarget(parts, target, targetTimes));
    const storedBytes = disks.reduce((sum, disk) => sum + storedBytesOf(disk, sourceRates), 0);
    return { estimate: estimateTransfer({ storedBytes, dataBytes }, ratesOf(sourceRates, targetRates)) };
  } catch (error) {
    // An estimate is an extra: whatever is wrong is told by the import at the very place, and the plan shows the rest all the same.
    if (isProblem(error) && error.code !== 'Interrupted') return { notEstimated: `${error.code}: ${error.message}` };
    throw error;
  }
}

function refusalOf(source: Source, { findings, dataBytes }: ImportPlan): string | undefined {
  if (source.isStreamed) return 'the source can only be read once from start to end, so nothing was measured';
  if (findings.some(isBlocker)) return 'nothing is measured while something stands in the way';
  if (dataBytes === undefined) return 'nobody knows how much data there is before it is read';
  return undefined;
}

/** It is what the import will spend most of its time with. Disks that could not be opened have no format. */
export function findLargest(disks: readonly PlannedDisk[]): PlannedDisk | undefined {
  const known = disks.filter(({ disk, format }) => disk.fileName !== undefined && format !== undefined);
  return known.toSorted((a, b) => dataBytesOf(b) - dataBytesOf(a))[0];
}

function dataBytesOf({ allocation, virtualSizeBytes }: PlannedDisk): number {
  return allocation.kind === 'unknown' ? virtualSizeBytes : allocation.bytes;
}

function storedBytesOf(disk: PlannedDisk, { expansion }: SourceRates): number {
  return disk.storedBytes ?? dataBytesOf(disk) / expansion;
}
