import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader, EncodedRange } from '../ports/disk-reader.ts';
import type { ImageFile } from '../ports/image-file.ts';
import type { RateLimiter } from '../ports/transfer.ts';
import type { StoredDigest } from './stored-digest.ts';

/** Neighbouring ranges of one file, with their bytes or without. */
export interface FetchedRanges {
  readonly ranges: readonly EncodedRange[];
  /** The run of the file that holds all of them; absent where lanes read it themselves, or when there is nothing to read. */
  readonly bytes?: Uint8Array;
  /** Where `bytes` begin in the file. */
  readonly fileOffset: number;
  /** To be called when the bytes are not needed any more. */
  release(): void;
}

/** Fetches ranges of files that can be read anywhere, and hands each over when its bytes are there. Sees to the files' digests, to their ends. */
export type FetchWindow = (ranges: AsyncIterable<EncodedRange>, options: WindowOptions) => AsyncIterable<FetchedRanges>;

export interface WindowOptions extends CallOptions {
  readonly files: readonly ImageFile[];
  readonly digests: readonly (StoredDigest | undefined)[];
  readonly rateLimiter?: RateLimiter | undefined;
  readonly onFetched: (bytes: number) => void;
}

export interface FetchOptions extends CallOptions {
  /** Leaves known before this run; their pieces are not fetched. */
  readonly wants: (leaf: number) => boolean;
  /** One per file that has digests to be checked; a hole where there are none. */
  readonly digests: readonly (StoredDigest | undefined)[];
  readonly window: FetchWindow;
  readonly rateLimiter?: RateLimiter | undefined;
  /** Is shown each range in the order of the source, before its bytes are fetched. */
  readonly onRange: (range: EncodedRange) => void;
  /** Counts the bytes that came from the source; those that lanes read are not among them. */
  readonly onFetched: (bytes: number) => void;
}

/** True when lanes can read all files of the image themselves and nobody has to see their bytes in order. */
export function readsOnLanes(reader: DiskReader, digests: readonly (StoredDigest | undefined)[]): boolean {
  return reader.files.every((file) => file.origin !== undefined) && digests.every((digest) => digest === undefined);
}

/**
 * Yields the reader's ranges with their bytes, in any order. Readers that had to read the bytes anyway hand them over; what lanes can read is left to them; for the rest a window
 * of parallel requests is open, which also shows each file whole and in order to its manifest's digest.
 */
export async function* fetchRanges(reader: DiskReader, options: FetchOptions): AsyncGenerator<FetchedRanges, void> {
  const { signal, wants, digests, rateLimiter, onRange, onFetched } = options;
  const observe = (file: number, storedOffset: number, bytes: Uint8Array) => {
    onFetched(bytes.length);
    digests[file]?.update(storedOffset, bytes);
  };
  const ranges = announced(reader.ranges({ signal, wants, observe }), onRange);
  if (reader.files.some((file) => file.read === undefined)) {
    for await (const range of ranges) {
      if (range.bytes !== undefined) await rateLimiter?.take(range.bytes.length, { signal });
      yield { ranges: [range], ...(range.bytes && { bytes: range.bytes }), fileOffset: range.fileOffset, release() {} };
    }
  } else if (readsOnLanes(reader, digests)) {
    for await (const range of ranges) yield { ranges: [range], fileOffset: range.fileOffset, release() {} };
  } else yield* options.window(ranges, windowOptions(reader, options));
}

function windowOptions({ files }: DiskReader, { signal, digests, rateLimiter, onFetched }: FetchOptions) {
  return { files, signal, digests, rateLimiter, onFetched };
}

async function* announced(
  ranges: AsyncIterable<EncodedRange>,
  onRange: (range: EncodedRange) => void,
): AsyncGenerator<EncodedRange, void> {
  for await (const range of ranges) {
    onRange(range);
    yield range;
  }
}
