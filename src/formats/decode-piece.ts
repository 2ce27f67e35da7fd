import { constants, zstdDecompressSync } from 'node:zlib';
import { ProblemError } from '../domain/problems.ts';
import type { DecodePiece, EncodedPiece } from '../ports/disk-reader.ts';
import type { Inflate } from '../ports/lane.ts';
import { inflateByZlib } from './inflate.ts';
import { zstdFrameBytes } from './qcow2/zstd-frame.ts';
import { unpackInto } from './unpack-into.ts';
import { createDecodeVmdkGrain } from './vmdk/decode-grain.ts';

/**
 * Makes the decoder of pieces of any format. It holds a buffer of the largest piece that was cut at the end of a disk. A VMDK grain may come out short, which the caller judges by
 * where it lies; a qcow2 cluster must fill its length.
 */
export function createDecodePiece(inflate: Inflate): DecodePiece {
  const decodeVmdkGrain = createDecodeVmdkGrain(inflate);
  return (piece, encoded, out) => {
    if (encoded.length !== piece.fileBytes || out.length !== piece.length) {
      throw new RangeError(
        `piece of ${piece.fileBytes} to ${piece.length} got ${encoded.length} to ${out.length} bytes`,
      );
    }
    switch (piece.encoding) {
      case 'vmdk-grain':
        return decodeVmdkGrain(piece, encoded, out);
      case 'plain':
        out.set(encoded);
        return encoded.length;
      case 'zstd':
        return unpackZstd(piece, encoded, out);
      default: {
        const wrapping = piece.encoding === 'zlib' ? 'zlib' : 'raw';
        const unpackedBytes = unpackInto(inflate, wrapping, piece, encoded, out);
        if (wrapping === 'raw') requireWhole(piece, unpackedBytes, mostBytesOf(piece));
        return Math.min(unpackedBytes, out.length);
      }
    }
  };
}

/** With Node's own zlib: for those who decode little. @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized` */
export const decodePiece: DecodePiece = createDecodePiece(inflateByZlib);

/** A frame may ask for a window of any size, whatever little it unpacks to: 8 MiB is what RFC 8878 wants every decoder to have. */
const ZSTD_PARAMS = { [constants.ZSTD_d_windowLogMax]: 23 };

function unpackZstd(piece: EncodedPiece, encoded: Uint8Array, out: Uint8Array): number {
  const mostBytes = mostBytesOf(piece);
  const inflate: Inflate = (_wrapping, packed, into) => {
    // Other than zlib, zstd takes padding for the next frame. One chunk that holds more than allowed: a full piece takes one round, and a bomb stops there.
    const frame = packed.subarray(0, zstdFrameBytes(packed));
    const limits = { maxOutputLength: mostBytes, chunkSize: mostBytes + 64 };
    const unpacked = zstdDecompressSync(frame, { ...limits, params: ZSTD_PARAMS });
    into.set(unpacked);
    return unpacked.length;
  };
  const unpackedBytes = unpackInto(inflate, 'zstd', piece, encoded, out);
  requireWhole(piece, unpackedBytes, mostBytes);
  return Math.min(unpackedBytes, out.length);
}

function mostBytesOf({ length, unpackedBytes }: EncodedPiece): number {
  return Math.max(length, unpackedBytes ?? 0);
}

function requireWhole({ offset, fileOffset }: EncodedPiece, unpackedBytes: number, mostBytes: number): void {
  if (unpackedBytes >= mostBytes) return;
  throw new ProblemError(
    'DiskImageCorrupt',
    `the compressed part at file offset ${fileOffset}, for disk offset ${offset}, unpacks to ${unpackedBytes} bytes; ${mostBytes} are needed`,
    { context: { offset, fileOffset } },
  );
}
