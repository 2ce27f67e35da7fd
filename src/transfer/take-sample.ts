import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { DiskReader, EncodedPiece, EncodedRange } from '../ports/disk-reader.ts';
import type { Measurement } from '../ports/measure.ts';
import { type FetchWindow, fetchRanges } from './fetch-ranges.ts';

/** A part of a disk as it came, and how fast it did. */
export interface Sample {
  readonly read: Measurement;
  /** Bytes of the disk for each stored byte. */
  readonly expansion: number;
  /** At least one. */
  readonly pieces: readonly { readonly piece: EncodedPiece; readonly encoded: Uint8Array }[];
}

export interface SampleOptions extends CallOptions {
  readonly maxMs: number;
  /** Of the disk; nothing before it is read where that can be left out. */
  readonly firstLeaf: number;
}

/** Kept for unpacking; what comes beyond is counted only. */
const KEPT_BYTES = 16 * 1024 * 1024;
/** No source is so fast that more would tell more. */
const MAX_READ_BYTES = 512 * 1024 * 1024;
/** Requests to a file of this machine under way at once, as lanes would have them. */
const LOCAL_READS = 4;
/** The share of the time in which a source may get going: connections are opened one after the other. */
const RAMP_SHARE = 1 / 3;

/**
 * Reads for at most `maxMs`, at least one range if any comes in that time.
 * @returns undefined when nothing came
 * @throws ProblemError the problems of the source and the format
 */
export async function takeSample(
  parts: { readonly window: FetchWindow; readonly clock: Clock },
  reader: DiskReader,
  { maxMs, firstLeaf, signal }: SampleOptions,
): Promise<Sample | undefined> {
  const { clock, window } = parts;
  const stop = new AbortController();
  const inner = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  let isTimeUp = false;
  const ending = clock.delay(maxMs, { signal: inner }).then(
    () => {
      isTimeUp = true;
      stop.abort(new Error('the time for measuring is over'));
    },
    () => {}, // stopped before, for whatever reason
  );
  const taker = new SampleTaker(reader, clock, maxMs);
  try {
    const items = fetchRanges(reader, {
      signal: inner,
      wants: (leaf) => leaf >= firstLeaf,
      digests: reader.files.map(() => undefined),
      window,
      onRange: () => taker.begin(),
      onFetched: (bytes) => taker.count(bytes),
    });
    for await (const { ranges, bytes, fileOffset, release } of items) {
      if (bytes === undefined) await taker.readRanges(ranges, inner);
      else taker.keep(ranges, bytes, fileOffset);
      release();
      if (taker.isFull) break;
    }
    await taker.settle();
  } catch (error) {
    // What breaks off because the time is over is no failure; a user who stops is not asked for a result.
    if (!isTimeUp) throw error;
  } finally {
    stop.abort(new Error('measured'));
    await ending;
    await taker.leave();
  }
  signal?.throwIfAborted();
  return taker.sample();
}

class SampleTaker {
  readonly #reader: DiskReader;
  readonly #clock: Clock;
  readonly #rampMs: number;
  readonly #kept: { readonly piece: EncodedPiece; readonly encoded: Uint8Array }[] = [];
  readonly #reads = new Set<Promise<void>>();
  #keptBytes = 0;
  #storedBytes = 0;
  #diskBytes = 0;
  #readBytes = 0;
  #startedMs: number | undefined;
  /** Where the source had got going. */
  #mark: { readonly ms: number; readonly bytes: number } | undefined;

  constructor(reader: DiskReader, clock: Clock, maxMs: number) {
    this.#reader = reader;
    this.#clock = clock;
    this.#rampMs = maxMs * RAMP_SHARE;
  }

  get isFull(): boolean {
    return this.#readBytes >= MAX_READ_BYTES;
  }

  /** The image's map was read when its first range comes; reading it is not what is measured. */
  begin(): void {
    this.#startedMs ??= this.#clock.monotonicMs();
  }

  count(bytes: number): void {
    this.#readBytes += bytes;
    const now = this.#clock.monotonicMs();
    if (this.#mark === undefined && now - (this.#startedMs ?? now) >= this.#rampMs)
      this.#mark = { ms: now, bytes: this.#readBytes };
  }

  /** Reads ranges that were left to lanes; returns when there is room for more. */
  async readRanges(ranges: readonly EncodedRange[], signal: AbortSignal): Promise<void> {
    for (const range of ranges) {
      if (range.fileBytes === 0) continue;
      const read = this.#readRange(range, signal).finally(() => this.#reads.delete(read));
      this.#reads.add(read);
      // Its failure is told by the race or by settle; until then it must not count as one that nobody looks at.
      read.catch(() => {});
      if (this.#reads.size >= LOCAL_READS) await Promise.race(this.#reads);
    }
  }

  /** @throws what reading met */
  async settle(): Promise<void> {
    await Promise.all(this.#reads);
  }

  /** Returns when nothing is under way any more, however it ended. */
  async leave(): Promise<void> {
    await Promise.allSettled(this.#reads);
  }

  keep(ranges: readonly EncodedRange[], bytes: Uint8Array, bytesOffset: number): void {
    for (const piece of ranges.flatMap(({ pieces }) => pieces)) {
      this.#storedBytes += piece.fileBytes;
      this.#diskBytes += piece.length;
      if (this.#keptBytes >= KEPT_BYTES) continue;
      const from = piece.fileOffset - bytesOffset;
      // A copy: the memory that it lies in goes back to the window.
      this.#kept.push({ piece, encoded: bytes.slice(from, from + piece.fileBytes) });
      this.#keptBytes += piece.fileBytes;
    }
  }

  sample(): Sample | undefined {
    const startedMs = this.#startedMs;
    if (startedMs === undefined || this.#kept.length === 0 || this.#readBytes === 0) return undefined;
    const now = this.#clock.monotonicMs();
    const mark = this.#mark;
    const hasMore = mark !== undefined && mark.bytes < this.#readBytes && mark.ms < now;
    const from = hasMore ? mark : { ms: startedMs, bytes: 0 };
    return {
      read: { bytes: this.#readBytes - from.bytes, ms: Math.max(now - from.ms, 0.001) },
      expansion: this.#diskBytes / this.#storedBytes,
      pieces: this.#kept,
    };
  }

  async #readRange(range: EncodedRange, signal: AbortSignal): Promise<void> {
    const file = this.#reader.files[range.file];
    const bytes = await file?.read?.(range.fileOffset, range.fileBytes, { signal });
    if (bytes === undefined) throw new Error(`file ${range.file} can only be read by lanes`);
    this.count(bytes.length);
    this.keep([range], bytes, range.fileOffset);
  }
}
