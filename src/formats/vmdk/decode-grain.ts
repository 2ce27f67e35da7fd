import { ProblemError } from '../../domain/problems.ts';
import type { DecodePiece, EncodedPiece } from '../../ports/disk-reader.ts';
import type { Inflate } from '../../ports/lane.ts';
import { unpackInto } from '../unpack-into.ts';
import { MARKER_HEAD_BYTES } from './layout.ts';

/**
 * Makes the decoder of `vmdk-grain` pieces: u64 address in sectors, u32 size, zlib stream. The address must be the one that the grain table gave, otherwise the table points
 * to another grain and its data would land in the wrong place.
 */
export function createDecodeVmdkGrain(inflate: Inflate): DecodePiece {
  /** @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized` */
  return (piece, encoded, out) => {
    const unpackedBytes = unpackInto(inflate, 'zlib', piece, payloadOf(piece, encoded), out);
    if (unpackedBytes >= out.length) return out.length;
    throw corruptGrain(piece, `unpacks to ${unpackedBytes} bytes; ${out.length} are needed`);
  };
}

function payloadOf(piece: EncodedPiece, encoded: Uint8Array): Uint8Array {
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
  return encoded.subarray(MARKER_HEAD_BYTES, MARKER_HEAD_BYTES + payloadBytes);
}

function corruptGrain(piece: EncodedPiece, what: string): ProblemError {
  return new ProblemError('DiskImageCorrupt', `grain at file offset ${piece.fileOffset} ${what}`, {
    context: { fileOffset: piece.fileOffset, offset: piece.offset },
  });
}
