import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { DecodePiece, DiskReader } from '../ports/disk-reader.ts';
import { type FetchWindow, fetchRanges } from './fetch-ranges.ts';

/** Enough to see the speed of a source, little enough not to be waited for. */
const MAX_MS = 1_500;
const MAX_BYTES = 64 * 1024 * 1024;

/** See DataPlane.measureRead. */
export async function measureRead(
  parts: { readonly decode: DecodePiece; readonly window: FetchWindow; readonly clock: Clock },
  reader: DiskReader,
  options: CallOptions = {},
): Promise<number | undefined> {
  const started = parts.clock.monotonicMs();
  let bytes = 0;
  const { signal } = options;
  const digests = reader.files.map(() => undefined);
  const handlers = { onRange: () => {}, onFetched: () => {} };
  for await (const item of fetchRanges(reader, {
    signal,
    wants: () => true,
    digests,
    window: parts.window,
    ...handlers,
  })) {
    for (const { file, pieces } of item.ranges) {
      for (const piece of pieces) {
        const from = piece.fileOffset - item.fileOffset;
        const encoded =
          item.bytes?.subarray(from, from + piece.fileBytes) ??
          (await reader.files[file]?.read?.(piece.fileOffset, piece.fileBytes, { signal }));
        if (encoded !== undefined) parts.decode(piece, encoded, new Uint8Array(piece.length));
        bytes += piece.length;
      }
    }
    item.release();
    if (bytes >= MAX_BYTES || parts.clock.monotonicMs() - started >= MAX_MS) break;
  }
  const seconds = (parts.clock.monotonicMs() - started) / 1000;
  return bytes === 0 || seconds === 0 ? undefined : bytes / seconds;
}
