import { inflateSync } from 'node:zlib';
import { ProblemError } from '../../domain/problems.ts';
import type { DecodePiece, EncodedPiece } from '../../ports/disk-reader.ts';
import { MARKER_HEAD_BYTES } from './layout.ts';

/**
 * Decodes a `vmdk-grain` piece: u64 address in sectors, u32 size, zlib stream. The address must be the one that the grain table gave, otherwise the table points
 * to another grain and its data would land in the wrong place. Memory: one grain.
 * @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized`
 */
export const decodeVmdkGrain: DecodePiece = (piece, encoded, out) => {
  if (encoded.length < MARKER_HEAD_BYTES) throw corruptGrain(piece, `has ${encoded.length} bytes in the file`);
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const sector = view.getBigUint64(0, true);
  const payloadBytes = view.getUint32(8, true);
  if (sector !== BigInt(piece.offset / 512)) {
    throw corruptGrain(piece, `is marked as sector ${sector}; the grain table says sector ${piece.offset / 512}`);
  }
  if (payloadBytes === 0 || payloadBytes > encoded.length - MARKER_HEAD_BYTES) {
    throw corruptGrain(
      piece,
      `claims ${payloadBytes} bytes of compressed data; there is room for ${encoded.length - MARKER_HEAD_BYTES}`,
    );
  }
  const payload = encoded.subarray(MARKER_HEAD_BYTES, MARKER_HEAD_BYTES + payloadBytes);
  const unpacked = inflateGrain(piece, payload, Math.max(out.length, piece.unpackedBytes ?? 0));
  if (unpacked.length < out.length) {
    throw corruptGrain(piece, `unpacks to ${unpacked.length} bytes; ${out.length} are needed`);
  }
  out.set(unpacked.subarray(0, out.length));
  return out.length;
};

function inflateGrain(piece: EncodedPiece, payload: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    // zlib stops at the limit, so a bomb costs no more memory than a grain. One spare byte in the chunk saves a second round for a full grain.
    return inflateSync(payload, { maxOutputLength, chunkSize: maxOutputLength + 64 });
  } catch (cause) {
    if (hasCode(cause, 'ERR_BUFFER_TOO_LARGE')) {
      throw new ProblemError(
        'DiskGrainOversized',
        `grain at file offset ${piece.fileOffset} unpacks to more than ${maxOutputLength} bytes`,
        { cause, context: { fileOffset: piece.fileOffset } },
      );
    }
    throw corruptGrain(piece, `does not inflate into ${maxOutputLength} bytes`, cause);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function corruptGrain(piece: EncodedPiece, what: string, cause?: unknown): ProblemError {
  return new ProblemError('DiskImageCorrupt', `grain at file offset ${piece.fileOffset} ${what}`, {
    cause,
    context: { fileOffset: piece.fileOffset, offset: piece.offset },
  });
}
