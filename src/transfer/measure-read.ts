import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { DecodePiece, DiskReader } from '../ports/disk-reader.ts';
import { fetchRanges } from './fetch-ranges.ts';

/** Enough to see the speed of a source, little enough not to be waited for. */
const MAX_MS = 1_500;
const MAX_BYTES = 64 * 1024 * 1024;

/** See DataPlane.measureRead. */
export async function measureRead(
  parts: { readonly decode: DecodePiece; readonly clock: Clock },
  reader: DiskReader,
  options: CallOptions = {},
): Promise<number | undefined> {
  const started = parts.clock.monotonicMs();
  let bytes = 0;
  const fetched = fetchRanges(reader, { signal: options.signal, wants: () => true, digests: [], onFetched: () => {} });
  for await (const range of fetched) {
    for (const piece of range.pieces) {
      const from = piece.fileOffset - range.fileOffset;
      parts.decode(piece, range.bytes.subarray(from, from + piece.fileBytes), new Uint8Array(piece.length));
      bytes += piece.length;
    }
    if (bytes >= MAX_BYTES || parts.clock.monotonicMs() - started >= MAX_MS) break;
  }
  const seconds = (parts.clock.monotonicMs() - started) / 1000;
  return bytes === 0 || seconds === 0 ? undefined : bytes / seconds;
}
