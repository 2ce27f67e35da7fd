import { constants, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { ProblemError } from '../domain/problems.ts';
import type { DecodePiece, EncodedPiece, PieceEncoding } from '../ports/disk-reader.ts';
import { zstdFrameBytes } from './qcow2/zstd-frame.ts';
import { decodeVmdkGrain } from './vmdk/decode-grain.ts';

/**
 * Decodes a piece of any format. Memory: what the piece may unpack to. A VMDK grain may come out short, which the caller judges by where it lies; a qcow2 cluster must
 * fill its length.
 * @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized`
 */
export const decodePiece: DecodePiece = (piece, encoded, out) => {
  if (encoded.length !== piece.fileBytes || out.length !== piece.length) {
    throw new RangeError(`piece of ${piece.fileBytes} to ${piece.length} got ${encoded.length} to ${out.length} bytes`);
  }
  if (piece.encoding === 'vmdk-grain') return decodeVmdkGrain(piece, encoded, out);
  if (piece.encoding === 'plain') {
    out.set(encoded);
    return encoded.length;
  }
  const mostBytes = Math.max(out.length, piece.unpackedBytes ?? 0);
  const unpacked = unpack(piece, encoded, mostBytes);
  if (piece.encoding !== 'zlib' && unpacked.length < mostBytes) {
    throw corrupt(piece, `unpacks to ${unpacked.length} bytes; ${mostBytes} are needed`);
  }
  const length = Math.min(unpacked.length, out.length);
  out.set(unpacked.subarray(0, length));
  return length;
};

/** A frame may ask for a window of any size, whatever little it unpacks to: 8 MiB is what RFC 8878 wants every decoder to have. */
const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: 23 };

type Unpack = (encoded: Uint8Array, options: { maxOutputLength: number; chunkSize: number }) => Uint8Array;

const unpackers: Readonly<Record<Exclude<PieceEncoding, 'plain' | 'vmdk-grain'>, Unpack>> = {
  zlib: inflateSync,
  deflate: inflateRawSync,
  // Other than zlib, zstd takes padding for the next frame.
  zstd: (encoded, options) =>
    zstdDecompressSync(encoded.subarray(0, zstdFrameBytes(encoded)), { ...options, params: ZSTD_PARAMS }),
};

function unpack(piece: EncodedPiece, encoded: Uint8Array, mostBytes: number): Uint8Array {
  const { encoding } = piece;
  if (encoding === 'plain' || encoding === 'vmdk-grain') throw new TypeError(`${encoding} is not unpacked here`);
  try {
    // One chunk that holds a byte more than allowed: a full piece takes one round, and a bomb stops there.
    return unpackers[encoding](encoded, { maxOutputLength: mostBytes, chunkSize: mostBytes + 64 });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ProblemError(
        'DiskGrainOversized',
        `the compressed part at file offset ${piece.fileOffset} unpacks to more than ${mostBytes} bytes`,
        { cause, context: { offset: piece.offset, fileOffset: piece.fileOffset } },
      );
    }
    throw corrupt(piece, `is no ${encoding} stream of at most ${mostBytes} bytes`, cause);
  }
}

function corrupt(piece: EncodedPiece, what: string, cause?: unknown): ProblemError {
  return new ProblemError(
    'DiskImageCorrupt',
    `the compressed part at file offset ${piece.fileOffset}, for disk offset ${piece.offset}, ${what}`,
    { cause, context: { offset: piece.offset, fileOffset: piece.fileOffset } },
  );
}
