import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader, EncodedRange } from '../ports/disk-reader.ts';
import { OrderedFile } from './ordered-file.ts';
import type { StoredDigest } from './stored-digest.ts';

export interface FetchedRange extends EncodedRange {
  readonly bytes: Uint8Array;
}

export interface FetchOptions extends CallOptions {
  /** Leaves known before this run; their pieces are not fetched. A snapshot: a leaf that closes during the run must still be told from one that was done. */
  readonly wants: (leaf: number) => boolean;
  /** One per file that has digests to be checked; a hole where there are none. */
  readonly digests: readonly (StoredDigest | undefined)[];
  /** Counts the bytes that came from the source. */
  readonly onFetched: (bytes: number) => void;
}

/**
 * Yields the reader's ranges with their bytes. Readers that had to read the bytes anyway hand them over; for the others each file is read as an ordered stream from
 * range to range, and wholly when a manifest's digest has to be computed from it.
 */
export async function* fetchRanges(reader: DiskReader, options: FetchOptions): AsyncGenerator<FetchedRange, void> {
  const { signal, wants, digests, onFetched } = options;
  const files = reader.files.map((file, index) => new OrderedFile(file, { signal, digest: digests[index], onFetched }));
  const observe = (file: number, storedOffset: number, bytes: Uint8Array) => {
    onFetched(bytes.length);
    digests[file]?.update(storedOffset, bytes);
  };
  try {
    let handsOverBytes = false;
    for await (const range of reader.ranges({ signal, wants, observe })) {
      if (range.bytes !== undefined) handsOverBytes = true;
      const bytes = range.bytes ?? (await orderedFile(files, range.file).read(range.fileOffset, range.fileBytes));
      yield { ...range, bytes };
    }
    // What no range touched still belongs to the digest: headers, tables and the rest of each file.
    if (!handsOverBytes) for (const file of files) await file.finishDigest();
  } finally {
    for (const file of files) await file[Symbol.asyncDispose]();
  }
}

function orderedFile(files: readonly OrderedFile[], index: number): OrderedFile {
  const file = files[index];
  if (file === undefined) throw new Error(`range names file ${index} of ${files.length}`);
  return file;
}
