import { LEAF_BYTES, leafCount, leafOf } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader, EncodedPiece, EncodedRange } from '../../ports/disk-reader.ts';
import { type LeafOptions, tooShort } from './leaf-options.ts';

/**
 * The whole disk, leaf by leaf, of an image that can only be read from its start; each call reads the source from its start. Memory: a leaf and a range.
 * @throws ProblemError `ImageNotInOrder` when a piece belongs to a leaf that was given already, and the problems of source and format
 */
export async function* forwardLeaves(
  reader: DiskReader,
  { decode, rateLimiter, onLeaf, onFetched, signal }: LeafOptions,
): AsyncGenerator<Uint8Array, void> {
  const { virtualSizeBytes } = reader;
  const bytesOf = (leaf: number) => new Uint8Array(Math.min(LEAF_BYTES, virtualSizeBytes - leaf * LEAF_BYTES));
  // The current leaf, and what reaches into those behind it.
  const open = new Map<number, Uint8Array>();
  const take = (leaf: number) => {
    const bytes = open.get(leaf) ?? bytesOf(leaf);
    open.delete(leaf);
    onLeaf?.(leaf, bytes);
    return bytes;
  };
  let leaf = 0;
  for await (const range of reader.ranges({ signal })) {
    if (range.fileBytes === 0) continue;
    const encoded = range.bytes ?? (await fetchRange(reader, range, { signal }));
    onFetched?.(encoded.length);
    await rateLimiter?.take(encoded.length, { signal });
    for (const piece of range.pieces) {
      if (leafOf(piece.offset) < leaf) throw outOfOrder(reader, piece.offset, leaf);
      for (; leafOf(piece.offset) > leaf; leaf += 1) yield take(leaf);
      const at = piece.fileOffset - range.fileOffset;
      const out = new Uint8Array(piece.length);
      const decoded = decode(piece, encoded.subarray(at, at + piece.fileBytes), out);
      if (decoded < piece.length && piece.offset + piece.length < virtualSizeBytes) throw tooShort(piece, decoded);
      place(piece, out, (each) => {
        const bytes = open.get(each) ?? bytesOf(each);
        open.set(each, bytes);
        return bytes;
      });
    }
  }
  for (; leaf < leafCount(virtualSizeBytes); leaf += 1) yield take(leaf);
}

async function fetchRange(
  { files }: DiskReader,
  { file, fileOffset, fileBytes }: EncodedRange,
  options: CallOptions,
): Promise<Uint8Array> {
  const source = files[file];
  if (source?.read === undefined) throw new Error(`a range of file ${file} has no bytes and cannot be fetched`);
  return await source.read(fileOffset, fileBytes, options);
}

function place({ offset }: EncodedPiece, decoded: Uint8Array, leafBytes: (leaf: number) => Uint8Array): void {
  for (let done = 0; done < decoded.length; ) {
    const leaf = leafOf(offset + done);
    const begin = offset + done - leaf * LEAF_BYTES;
    const part = decoded.subarray(done, done + LEAF_BYTES - begin);
    leafBytes(leaf).set(part, begin);
    done += part.length;
  }
}

function outOfOrder({ format }: DiskReader, offset: number, leaf: number): ProblemError {
  const detail = `the image (${format}) holds byte ${offset} of the disk behind byte ${leaf * LEAF_BYTES}, and its source can only be read from its start`;
  return new ProblemError('ImageNotInOrder', detail, { context: { offset } });
}
