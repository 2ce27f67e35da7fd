import type { Allocation, DiskReader, EncodedPiece, EncodedRange } from '../../ports/disk-reader.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import { qcow2VirtualSize } from './image-tables.ts';
import { openQcow2 } from './open-qcow2.ts';

/**
 * Opens a qcow2 that we wrote, through its own tables. A disk whose size is no multiple of 512 got a last sector filled up with zeroes; the reader gives it without them. An image of
 * another size is opened as it is, and its reader tells that size. Disposing the reader disposes `main`; so does a failure to open.
 * @throws ProblemError as `openQcow2`
 */
export async function openWrittenQcow2(main: ImageFile, virtualSizeBytes: number | undefined): Promise<DiskReader> {
  const reader = await openQcow2({ main, open: () => Promise.reject(new Error('this qcow2 names no files')) });
  if (virtualSizeBytes === undefined || virtualSizeBytes === reader.virtualSizeBytes) return reader;
  return qcow2VirtualSize(virtualSizeBytes) === reader.virtualSizeBytes
    ? withoutFill(reader, virtualSizeBytes)
    : reader;
}

function withoutFill(reader: DiskReader, virtualSizeBytes: number): DiskReader {
  const { format, contentId, files, oneShot, allocation } = reader;
  return {
    format,
    contentId,
    files,
    oneShot,
    virtualSizeBytes,
    allocation: notExact(allocation),
    readContentId: (options) => reader.readContentId(options),
    async *ranges(options) {
      for await (const range of reader.ranges(options)) yield cutRange(range, virtualSizeBytes);
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** Whether the last sector is among the bytes counted is not known. */
function notExact(allocation: Allocation): Allocation {
  return allocation.kind === 'exact' ? { kind: 'known', bytes: allocation.bytes } : allocation;
}

function cutRange(range: EncodedRange, end: number): EncodedRange {
  const isInside = range.pieces.every(({ offset, length }) => offset + length <= end);
  return isInside ? range : { ...range, pieces: range.pieces.map((piece) => cutPiece(piece, end)) };
}

/** Less than a sector is cut off, so that something of the piece remains. */
function cutPiece(piece: EncodedPiece, end: number): EncodedPiece {
  const length = Math.min(piece.length, end - piece.offset);
  if (length === piece.length) return piece;
  if (piece.encoding === 'plain') return { ...piece, length, fileBytes: length };
  return { ...piece, length, unpackedBytes: piece.unpackedBytes ?? piece.length };
}
