import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { SourceRates, TargetRates } from '../ports/measure.ts';
import type { Source } from '../ports/source.ts';
import type { Target } from '../ports/target.ts';
import { estimateTransfer, ratesOf, type Side } from './estimate-transfer.ts';
import type { PlannedDisk } from './import-plan.ts';
import { findLargest } from './measure-for-plan.ts';
import { type MeasureParts, measureDisk, measureTarget } from './measure-transfer.ts';
import { planDisks } from './plan-disks.ts';

export interface BenchOptions extends CallOptions {
  readonly machine?: string | undefined;
  /** Most time for each of the three. */
  readonly maxMs: number;
}

/** What each side can do by itself, and what that comes to together. */
export interface BenchResult {
  readonly source: string;
  readonly target: string;
  readonly machine: { readonly id: string; readonly name: string };
  /** The disk that was measured. */
  readonly disk: { readonly id: string; readonly name: string };
  readonly rates: SourceRates;
  /** Undefined where the target cannot be measured. */
  readonly targetRates: TargetRates | undefined;
  readonly limitedBy: Side;
  /** What the copy would make of this disk, in bytes of the disk. */
  readonly copyBytesPerSecond: number;
}

/** More than a plan writes, as somebody asked for it. */
const MAX_WRITE_BYTES = 512 * 1024 * 1024;
/** Unpacking and hashing are measured one after the other. */
const DECODE_SHARE = 0.5;

/**
 * Measures how fast the source gives a machine's largest disk, how fast that is unpacked and how fast the target takes it, one after the other. Leaves nothing behind.
 * @throws ProblemError `NothingToMeasure`, and the problems of source, format and target
 */
export async function benchTransfer(
  parts: MeasureParts,
  source: Source,
  target: Target,
  { machine: ref, maxMs, signal }: BenchOptions,
): Promise<BenchResult> {
  const machine = await source.inspect(ref, { signal });
  const disks = await planDisks(source, machine, { signal });
  const chosen = source.isStreamed ? firstOf(disks) : findLargest(disks);
  const times = { readMs: maxMs, decodeMs: maxMs * DECODE_SHARE, signal };
  const rates = chosen && (await measureDisk(parts, source, machine, chosen, times));
  if (chosen === undefined || rates === undefined) {
    throw new ProblemError('NothingToMeasure', `no data of "${machine.name}" came within ${maxMs / 1000} s`);
  }
  const targetRates = await measureTarget(parts, target, {
    maxMs,
    maxBytes: MAX_WRITE_BYTES,
    keepFreeBytes: 0,
    signal,
  });
  const dataBytes = rates.expansion;
  const { limitedBy, copyMs } = estimateTransfer({ storedBytes: 1, dataBytes }, ratesOf(rates, targetRates));
  return {
    source: source.location,
    target: target.location,
    machine: { id: machine.id, name: machine.name },
    disk: { id: chosen.disk.id, name: chosen.disk.name },
    rates,
    targetRates,
    limitedBy,
    copyBytesPerSecond: (dataBytes / copyMs) * 1000,
  };
}

/** Where everything before a disk has to be read to come to it, the first one is what there is time for. */
function firstOf(disks: readonly PlannedDisk[]): PlannedDisk | undefined {
  const filled = disks.filter(({ disk }) => disk.fileName !== undefined);
  return filled.toSorted((a, b) => (a.disk.readingOrder ?? a.index) - (b.disk.readingOrder ?? b.index))[0];
}
