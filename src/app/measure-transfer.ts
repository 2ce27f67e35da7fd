import { randomFillSync } from 'node:crypto';
import type { Machine } from '../domain/machine.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Measurement, SourceRates, TargetProbe, TargetRates } from '../ports/measure.ts';
import type { Source } from '../ports/source.ts';
import type { DataPlane } from '../ports/transfer.ts';
import type { PlannedDisk } from './import-plan.ts';
import type { PlannedTarget } from './planned-target.ts';

export interface MeasureParts {
  readonly dataPlane: Pick<DataPlane, 'measureSource'>;
  readonly clock: Clock;
}

export interface MeasureTargetOptions extends CallOptions {
  readonly maxMs: number;
  /** Most that is written; a quarter of a gigabyte unless told. */
  readonly maxBytes?: number | undefined;
  /** What the import needs. */
  readonly keepFreeBytes: number;
}

const MAX_BYTES = 256 * 1024 * 1024;
const PIECE_BYTES = 4 * 1024 * 1024;
const FIRST_ROUND_BYTES = 1024 * 1024;
/** Of the time, for reading back. */
const READ_SHARE = 0.25;
/** A clock may not have moved. */
const SHORTEST_MS = 0.001;

/**
 * Reads, unpacks and hashes a part of one disk.
 * @throws ProblemError the problems of the source and the format
 */
export async function measureDisk(
  { dataPlane }: MeasureParts,
  source: Source,
  machine: Machine,
  { disk }: PlannedDisk,
  options: { readonly readMs: number; readonly decodeMs: number } & CallOptions,
): Promise<SourceRates | undefined> {
  await using reader = await source.openDisk(machine, disk, { signal: options.signal });
  return await dataPlane.measureSource(reader, options);
}

/**
 * Writes a temporary file in rounds that double, flushed each, as long as another one fits the time, and reads it back. Random bytes, because storage may pack others. Leaves nothing behind.
 * @returns undefined where the target cannot be measured or cannot spare the space
 * @throws ProblemError the problems of the target
 */
export async function measureTarget(
  { clock }: Pick<MeasureParts, 'clock'>,
  target: PlannedTarget,
  { maxMs, maxBytes = MAX_BYTES, keepFreeBytes, signal }: MeasureTargetOptions,
): Promise<TargetRates | undefined> {
  await using probe = await target.openProbe?.({ maxBytes, keepFreeBytes, signal });
  if (probe === undefined) return undefined;
  const bytes = randomFillSync(new Uint8Array(PIECE_BYTES));
  const work = { clock, probe, bytes, signal };
  const { write, writtenBytes } = await writeRounds(work, maxMs * (1 - READ_SHARE), maxBytes);
  return { write, readBack: await readBack(work, maxMs * READ_SHARE, writtenBytes) };
}

interface ProbeWork extends CallOptions {
  readonly clock: Clock;
  readonly probe: TargetProbe;
  readonly bytes: Uint8Array;
}

async function writeRounds(
  { clock, probe, bytes, signal }: ProbeWork,
  maxMs: number,
  maxBytes: number,
): Promise<{ readonly write: Measurement; readonly writtenBytes: number }> {
  const rounds: Measurement[] = [];
  let at = 0;
  let leftMs = maxMs;
  for (let size = FIRST_ROUND_BYTES; at + size <= maxBytes; size *= 2) {
    const started = clock.monotonicMs();
    for (const end = at + size; at < end; ) {
      signal?.throwIfAborted();
      const piece = bytes.subarray(0, end - at);
      await probe.write(at, piece);
      at += piece.length;
    }
    await probe.flush();
    const ms = Math.max(clock.monotonicMs() - started, SHORTEST_MS);
    rounds.push({ bytes: size, ms });
    leftMs -= ms;
    // The next one will take about twice as long.
    if (leftMs < 2 * ms) break;
  }
  // In the first ones there is more waiting for a flush than writing.
  return { write: sum(rounds.slice(-2)), writtenBytes: at };
}

async function readBack(
  { clock, probe, bytes, signal }: ProbeWork,
  maxMs: number,
  writtenBytes: number,
): Promise<Measurement> {
  const started = clock.monotonicMs();
  let at = 0;
  let ms = 0;
  while (at < writtenBytes && ms < maxMs) {
    signal?.throwIfAborted();
    const into = bytes.subarray(0, Math.min(bytes.length, writtenBytes - at));
    await probe.read(at, into);
    at += into.length;
    ms = clock.monotonicMs() - started;
  }
  return { bytes: at, ms: Math.max(ms, SHORTEST_MS) };
}

function sum(rounds: readonly Measurement[]): Measurement {
  return rounds.reduce((total, { bytes, ms }) => ({ bytes: total.bytes + bytes, ms: total.ms + ms }));
}
