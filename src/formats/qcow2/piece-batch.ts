import type { EncodedPiece } from '../../ports/disk-reader.ts';
import type { Qcow2Header } from './layout.ts';

/** Pieces in columns: a disk has millions of them, and as objects they would not fit. */
export class PieceBatch {
  count = 0;
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly fileOffsets: Float64Array;
  /** Length of a compressed cluster in the file; 0 for plain bytes, whose length is the same on both sides. */
  readonly packedBytes: Uint32Array;

  constructor(capacity: number) {
    this.offsets = new Float64Array(capacity);
    this.lengths = new Uint32Array(capacity);
    this.fileOffsets = new Float64Array(capacity);
    this.packedBytes = new Uint32Array(capacity);
  }

  add(offset: number, length: number, fileOffset: number, packedBytes: number): void {
    const at = this.count;
    if (at === this.offsets.length) throw new RangeError(`batch holds ${at} pieces`);
    this.offsets[at] = offset;
    this.lengths[at] = length;
    this.fileOffsets[at] = fileOffset;
    this.packedBytes[at] = packedBytes;
    this.count += 1;
  }

  /** Joins a plain piece to the last one when it continues it on both sides and both lie in the same unit of `unitBytes`. */
  addPlain(offset: number, length: number, fileOffset: number, unitBytes: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.packedBytes[last] === 0 && offset % unitBytes !== 0) {
      const lastLength = this.lengths[last] ?? 0;
      const continues = (this.offsets[last] ?? 0) + lastLength === offset;
      if (continues && (this.fileOffsets[last] ?? 0) + lastLength === fileOffset) {
        this.lengths[last] = lastLength + length;
        return;
      }
    }
    this.add(offset, length, fileOffset, 0);
  }

  offset(index: number): number {
    return this.offsets[index] ?? 0;
  }

  length(index: number): number {
    return this.lengths[index] ?? 0;
  }

  fileOffset(index: number): number {
    return this.fileOffsets[index] ?? 0;
  }

  piece(index: number, header: Qcow2Header): EncodedPiece {
    const offset = this.offset(index);
    const length = this.length(index);
    const fileOffset = this.fileOffset(index);
    const packed = this.packedBytes[index] ?? 0;
    if (packed === 0) return { offset, length, fileOffset, fileBytes: length, encoding: 'plain' };
    const piece = { offset, length, fileOffset, fileBytes: packed, encoding: header.compression };
    return length === header.clusterBytes ? piece : { ...piece, unpackedBytes: header.clusterBytes };
  }
}
