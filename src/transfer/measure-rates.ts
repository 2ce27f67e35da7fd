import { setImmediate } from 'node:timers/promises';
import { leafCount } from '../domain/digest-layout.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { DecodePiece, DiskReader } from '../ports/disk-reader.ts';
import type { Measurement, MeasureSourceOptions, SourceRates } from '../ports/measure.ts';
import { hashBlock } from './digest-tree.ts';
import type { FetchWindow } from './fetch-ranges.ts';
import { type Sample, takeSample } from './take-sample.ts';

export interface MeasureParts {
  readonly decode: DecodePiece;
  readonly window: FetchWindow;
  readonly clock: Clock;
  readonly lanes: { readonly count: number };
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** More than this at once would keep the event loop from everything else. */
const STRETCH_BYTES = 1024 * 1024;
/** Enough for any clock. */
const MAX_WORK_BYTES = 512 * 1024 * 1024;
/** Where reading starts lies in this part of the disk, so that something is left behind it. */
const START_SHARE = 0.8;

/**
 * Reads a part of the disk for a moment, then unpacks and hashes what came again and again, each for a moment. Writes nothing. Memory: 16 MiB of what was read. Where the files can
 * be read at any place it begins at a random one: looking twice would otherwise measure this machine's memory, and a disk's first bytes are like no others.
 * @returns undefined for a disk without data, or when nothing came in time
 * @throws ProblemError the problems of the source and the format
 */
export async function measureSource(
  parts: MeasureParts,
  reader: DiskReader,
  { readMs, decodeMs, signal }: MeasureSourceOptions,
): Promise<SourceRates | undefined> {
  const mayStartAnywhere = reader.files.every((file) => file.read !== undefined);
  const firstLeaf = mayStartAnywhere
    ? Math.floor(parts.random() * START_SHARE * leafCount(reader.virtualSizeBytes))
    : 0;
  const started = parts.clock.monotonicMs();
  let sample = await takeSample(parts, reader, { maxMs: readMs, firstLeaf, signal });
  const leftMs = readMs - (parts.clock.monotonicMs() - started);
  if (sample === undefined && firstLeaf > 0 && leftMs > 0)
    sample = await takeSample(parts, reader, { maxMs: leftMs, firstLeaf: 0, signal });
  if (sample === undefined) return undefined;
  const unpacked = new Uint8Array(Math.max(...sample.pieces.map(({ piece }) => piece.length)));
  const decode = await repeat(parts.clock, sample, { maxMs: decodeMs, signal }, ({ piece, encoded }) => {
    parts.decode(piece, encoded, unpacked.subarray(0, piece.length));
  });
  const hash = await repeat(parts.clock, sample, { maxMs: decodeMs, signal }, ({ piece }) => {
    hashBlock(unpacked.subarray(0, piece.length));
  });
  return { read: sample.read, decode, hash, lanes: parts.lanes.count, expansion: sample.expansion };
}

/** Only the work itself counts, not what else the process does in between. */
async function repeat(
  clock: Clock,
  { pieces }: Sample,
  { maxMs, signal }: CallOptions & { readonly maxMs: number },
  work: (part: Sample['pieces'][number]) => void,
): Promise<Measurement> {
  let bytes = 0;
  let ms = 0;
  for (let next = 0; bytes === 0 || (ms < maxMs && bytes < MAX_WORK_BYTES); ) {
    signal?.throwIfAborted();
    const started = clock.monotonicMs();
    for (let stretch = 0; stretch < STRETCH_BYTES; next += 1) {
      const part = pieces[next % pieces.length];
      if (part === undefined) throw new Error('a sample has at least one piece');
      work(part);
      stretch += part.piece.length;
      bytes += part.piece.length;
    }
    ms += clock.monotonicMs() - started;
    await setImmediate();
  }
  return { bytes, ms: Math.max(ms, SHORTEST_MS) };
}

/** A clock may not have moved. */
const SHORTEST_MS = 0.001;
