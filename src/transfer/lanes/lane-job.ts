import type { EncodedPiece, PieceEncoding } from '../../ports/disk-reader.ts';
import type { FileOrigin } from '../../ports/image-file.ts';
import type { LanePlace, LaneTarget } from '../../ports/lane.ts';

/** What a lane has to know of a disk before its first job; plain data, sent once. */
export interface LaneDisk {
  readonly virtualSizeBytes: number;
  /** Compute each block's digest. */
  readonly isHashing: boolean;
  /** Leave out blocks that are all zero. */
  readonly skipsZeroes: boolean;
  /** By file of the image; undefined where jobs carry the bytes. */
  readonly files: readonly (LaneFile | undefined)[];
  /** `caller`: decoded blocks go back to who asked, who writes them. `nowhere`: only the digests matter. */
  readonly target: LaneTarget | 'caller' | 'nowhere';
  /** See WriteTurn; needed with a LaneTarget. */
  readonly writeTurn: SharedArrayBuffer;
}

export type LaneFile = FileOrigin['file'] & { readonly name: string };

/** Pieces of one run of a file which together hold whole blocks of the disk. */
export interface LaneJob {
  readonly file: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
  /** The run itself; absent when the lane reads it. */
  readonly bytes?: Uint8Array;
  /** PIECE_FIELDS numbers for each piece. */
  readonly pieces: Float64Array;
}

export interface LaneResult {
  /** Numbers of the blocks that were decoded. */
  readonly blocks: Uint32Array;
  /** By block: 1 where there is data, 0 where it was all zero and left out. */
  readonly hasData: Uint8Array;
  /** By block: 32 bytes; empty without hashing. */
  readonly digests: Uint8Array;
  readonly places: readonly LanePlace[];
  readonly writtenBytes: number;
  /** For `caller`: what is to be written. */
  readonly runs: readonly DecodedRun[];
  /** How long the lane read, decoded (with hashing) and wrote, in milliseconds. */
  readonly ms: { readonly read: number; readonly decode: number; readonly write: number };
}

export interface DecodedRun {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export const PIECE_FIELDS = 6;
const ENCODINGS: readonly PieceEncoding[] = ['plain', 'zlib', 'vmdk-grain', 'deflate', 'zstd'];

/** Numbers in one array cross a thread's border many times faster than objects. */
export function packPieces(pieces: readonly EncodedPiece[]): Float64Array {
  const packed = new Float64Array(pieces.length * PIECE_FIELDS);
  let at = 0;
  for (const piece of pieces) {
    packed[at] = piece.offset;
    packed[at + 1] = piece.length;
    packed[at + 2] = piece.fileOffset;
    packed[at + 3] = piece.fileBytes;
    packed[at + 4] = ENCODINGS.indexOf(piece.encoding);
    packed[at + 5] = piece.unpackedBytes ?? 0;
    at += PIECE_FIELDS;
  }
  return packed;
}

/** In rising order of the disk, whatever their order in the file. */
export function unpackPieces(packed: Float64Array): EncodedPiece[] {
  const pieces: EncodedPiece[] = [];
  let isRising = true;
  let last = -1;
  for (let at = 0; at < packed.length; at += PIECE_FIELDS) {
    const offset = packed[at] ?? 0;
    const unpackedBytes = packed[at + 5] ?? 0;
    const piece = {
      offset,
      length: packed[at + 1] ?? 0,
      fileOffset: packed[at + 2] ?? 0,
      fileBytes: packed[at + 3] ?? 0,
      encoding: ENCODINGS[packed[at + 4] ?? 0] ?? 'plain',
    };
    pieces.push(unpackedBytes === 0 ? piece : { ...piece, unpackedBytes });
    if (offset < last) isRising = false;
    last = offset;
  }
  return isRising ? pieces : pieces.sort((one, other) => one.offset - other.offset);
}
