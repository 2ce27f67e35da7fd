import type { EncodedRange } from '../ports/disk-reader.ts';
import type { ImageFile } from '../ports/image-file.ts';
import type { StoredDigest } from './stored-digest.ts';

/** Most bytes of one request, unless a single range is longer. */
export const SEGMENT_BYTES = 2 * 1024 * 1024;
/** Unneeded bytes are fetched along up to here; past that a new request is cheaper. */
const GAP_BYTES = 256 * 1024;

/** One request: a run of a file and the wanted ranges in it. */
export interface Segment {
  readonly file: number;
  readonly from: number;
  readonly to: number;
  /** Empty when only a digest needs the bytes. */
  readonly ranges: readonly EncodedRange[];
  /** Whether a digest needs some of the bytes. */
  readonly isHashed: boolean;
}

/** A range without bytes, which needs no request. */
export interface EmptyRange {
  readonly empty: EncodedRange;
}

interface OpenSegment {
  readonly file: number;
  readonly from: number;
  to: number;
  readonly ranges: EncodedRange[];
}

/**
 * Joins ranges to requests and adds what digests need besides: gaps between ranges at once, so that a file is asked for in rising order, and the ends of all files last. A range
 * lies in one segment. Empty ranges are handed on at once, before ranges that came earlier.
 */
export async function* planSegments(
  ranges: AsyncIterable<EncodedRange>,
  files: readonly ImageFile[],
  digests: readonly (StoredDigest | undefined)[],
): AsyncGenerator<Segment | EmptyRange, void> {
  const plan = new SegmentPlan(files, digests);
  for await (const range of ranges) {
    if (range.bytes !== undefined) throw new TypeError('a range that has its bytes needs no fetching');
    if (range.fileBytes === 0) yield { empty: range };
    else yield* plan.add(range);
  }
  yield* plan.finish();
}

class SegmentPlan {
  readonly #files: readonly ImageFile[];
  /** By file: up to where the digest's bytes are planned; infinity where there is none. */
  readonly #hashedTo: number[];
  #open: OpenSegment | undefined;

  constructor(files: readonly ImageFile[], digests: readonly (StoredDigest | undefined)[]) {
    this.#files = files;
    this.#hashedTo = files.map((_, index) => digests[index]?.position ?? Number.POSITIVE_INFINITY);
  }

  *add(range: EncodedRange): Generator<Segment, void> {
    const { file, fileOffset, fileBytes } = range;
    if (this.#files[file] === undefined) throw new Error(`range names file ${file} of ${this.#files.length}`);
    const end = fileOffset + fileBytes;
    if (this.#joins(range)) return;
    yield* this.#close();
    // Bytes in front of the range that only the digest needs go into requests of their own, except the last ones.
    const from = () => Math.min(fileOffset, this.#hashedToOf(file));
    while (from() < fileOffset && end - from() > SEGMENT_BYTES) {
      yield this.#segment({ file, from: from(), to: Math.min(from() + SEGMENT_BYTES, fileOffset), ranges: [] });
    }
    this.#open = { file, from: from(), to: end, ranges: [range] };
  }

  *finish(): Generator<Segment, void> {
    yield* this.#close();
    for (const [file, { sizeBytes, name }] of this.#files.entries()) {
      if (this.#hashedToOf(file) === Number.POSITIVE_INFINITY) continue;
      if (sizeBytes === undefined) throw new TypeError(`${name} answers ranges and does not know its size`);
      while (this.#hashedToOf(file) < sizeBytes) {
        const from = this.#hashedToOf(file);
        yield this.#segment({ file, from, to: Math.min(from + SEGMENT_BYTES, sizeBytes), ranges: [] });
      }
    }
  }

  #joins(range: EncodedRange): boolean {
    const open = this.#open;
    if (open === undefined || open.file !== range.file) return false;
    const end = range.fileOffset + range.fileBytes;
    const gapBytes = range.fileOffset - open.to;
    const isGapNeeded = this.#hashedToOf(range.file) <= open.to;
    if (gapBytes < 0 || end - open.from > SEGMENT_BYTES || (gapBytes > GAP_BYTES && !isGapNeeded)) return false;
    open.ranges.push(range);
    open.to = end;
    return true;
  }

  *#close(): Generator<Segment, void> {
    const open = this.#open;
    this.#open = undefined;
    if (open !== undefined) yield this.#segment(open);
  }

  #segment({ file, from, to, ranges }: OpenSegment): Segment {
    const isHashed = this.#hashedToOf(file) < to;
    if (isHashed) this.#hashedTo[file] = to;
    return { file, from, to, ranges, isHashed };
  }

  #hashedToOf(file: number): number {
    return this.#hashedTo[file] ?? Number.POSITIVE_INFINITY;
  }
}
