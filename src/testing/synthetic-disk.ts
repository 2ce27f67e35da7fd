import { deflateSync, inflateSync } from 'node:zlib';
import { BLOCK_BYTES, leafCount, leafOf } from '../domain/digest-layout.ts';
import type { DecodePiece, DiskReader, EncodedPiece, EncodedRange, RangesOptions } from '../ports/disk-reader.ts';
import type { ExpectedDigest, ImageFile } from '../ports/image-file.ts';
import { MemoryImageFile } from './memory-image-file.ts';
import { randomBelow, seededRandom } from './random.ts';

export interface SyntheticDisk {
  /** What the guest sees. */
  readonly content: Buffer;
  /** The encoded image: some leading bytes, then the pieces one after the other. */
  readonly image: Buffer;
  readonly pieces: readonly EncodedPiece[];
}

/** A disk with data here and there, encoded in zlib pieces of `pieceBytes` in the order given. */
export function buildSyntheticDisk(options: {
  readonly virtualSizeBytes: number;
  readonly pieceBytes?: number;
  readonly density?: number;
  readonly order?: 'rising' | 'shuffled';
  readonly seed?: number;
}): SyntheticDisk {
  const { virtualSizeBytes, pieceBytes = BLOCK_BYTES, density = 0.5, order = 'rising', seed = 1 } = options;
  const random = seededRandom(seed);
  const content = Buffer.alloc(virtualSizeBytes);
  const offsets: number[] = [];
  for (let offset = 0; offset < virtualSizeBytes; offset += pieceBytes) if (random() < density) offsets.push(offset);
  if (order === 'shuffled')
    for (let at = offsets.length - 1; at > 0; at -= 1) swap(offsets, at, randomBelow(random, at + 1));

  const header = Buffer.from('synthetic image header '.repeat(20));
  const parts: Buffer[] = [header];
  const pieces: EncodedPiece[] = [];
  let fileOffset = header.length;
  for (const offset of offsets) {
    const length = Math.min(pieceBytes, virtualSizeBytes - offset);
    const bytes = content.subarray(offset, offset + length);
    bytes.fill(randomBelow(random, 256));
    // A quarter that does not compress, so that the encoded image has a size worth measuring.
    for (let at = 0; at + 4 <= length / 4; at += 4) bytes.writeUInt32LE(randomBelow(random, 2 ** 32), at);
    bytes.writeUInt32LE(offset / 512 + 1, 0);
    // A piece may hold zeroes at its end, as real grains do.
    if (random() < 0.2) bytes.fill(0, Math.floor(length / 2));
    const encoded = deflateSync(bytes);
    pieces.push({ offset, length, fileOffset, fileBytes: encoded.length, encoding: 'zlib' });
    parts.push(encoded);
    fileOffset += encoded.length;
  }
  parts.push(Buffer.from('trailer'));
  return { content, image: Buffer.concat(parts), pieces };
}

/** Decodes what buildSyntheticDisk encoded. */
export const decodeSynthetic: DecodePiece = (_piece, encoded, out) => {
  const bytes = inflateSync(encoded);
  out.set(bytes);
  return bytes.length;
};

/** Reads a synthetic disk as a format reader would: with a map, so that each leaf closes with its last piece. */
export function syntheticReader(
  disk: SyntheticDisk,
  options: {
    readonly file?: ImageFile;
    readonly contentId?: string;
    readonly closes?: boolean;
    readonly expectedDigests?: readonly ExpectedDigest[];
    readonly forward?: boolean;
  } = {},
): DiskReader & { contentNow: string } {
  const file =
    options.file ??
    new MemoryImageFile(disk.image, {
      expectedDigests: options.expectedDigests ?? [],
      pieceBytes: 10_000,
      ranged: options.forward !== true,
    });
  const contentId = options.contentId ?? 'synthetic';
  const virtualSizeBytes = disk.content.length;
  const left = new Uint32Array(leafCount(virtualSizeBytes));
  for (const { offset } of disk.pieces) left[leafOf(offset)] = (left[leafOf(offset)] ?? 0) + 1;
  const reader = {
    format: 'synthetic',
    virtualSizeBytes,
    contentId,
    contentNow: contentId,
    readContentId: async () => reader.contentNow,
    files: [file],
    oneShot: false,
    allocation: { kind: 'exact' as const, bytes: disk.pieces.reduce((sum, piece) => sum + piece.length, 0) },
    async *ranges({ wants = () => true, observe, signal }: RangesOptions = {}): AsyncGenerator<EncodedRange, void> {
      const remaining = Uint32Array.from(left);
      const closes = options.closes ?? true;
      const bytesOf = (at: number, length: number) =>
        options.forward ? { bytes: disk.image.subarray(at, at + length) } : {};
      const empty = [...remaining.keys()].filter((leaf) => remaining[leaf] === 0).map((first) => ({ first, count: 1 }));
      if (options.forward) observe?.(0, 0, disk.image.subarray(0, disk.pieces[0]?.fileOffset ?? 0));
      yield {
        file: 0,
        fileOffset: 0,
        fileBytes: 0,
        pieces: [],
        ...bytesOf(0, 0),
        ...(closes ? { closesLeaves: empty } : {}),
      };
      let end = disk.pieces[0]?.fileOffset ?? 0;
      for (const piece of disk.pieces) {
        signal?.throwIfAborted();
        const leaf = leafOf(piece.offset);
        remaining[leaf] = (remaining[leaf] ?? 0) - 1;
        end = piece.fileOffset + piece.fileBytes;
        if (options.forward) observe?.(0, piece.fileOffset, disk.image.subarray(piece.fileOffset, end));
        if (!wants(leaf)) continue;
        yield {
          file: 0,
          fileOffset: piece.fileOffset,
          fileBytes: piece.fileBytes,
          pieces: [piece],
          ...bytesOf(piece.fileOffset, piece.fileBytes),
          ...(closes && remaining[leaf] === 0 ? { closesLeaves: [{ first: leaf, count: 1 }] } : {}),
        };
      }
      if (options.forward) observe?.(0, end, disk.image.subarray(end));
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return reader;
}

function swap(values: number[], a: number, b: number): void {
  const kept = values[a] ?? 0;
  values[a] = values[b] ?? 0;
  values[b] = kept;
}
