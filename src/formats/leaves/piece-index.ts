import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader, EncodedPiece, PieceEncoding } from '../../ports/disk-reader.ts';

/** A piece, and the file of the image that holds it. */
export interface PlacedPiece extends EncodedPiece {
  readonly file: number;
}

const ENCODINGS: readonly PieceEncoding[] = ['plain', 'zlib', 'vmdk-grain', 'deflate', 'zstd'];
const FIRST_ROOM = 1024;

/** Where the pieces of some leaves lie, found by their place on the disk. In columns: 31 bytes a piece. */
export class PieceIndex {
  #count = 0;
  #offsets = new Float64Array(FIRST_ROOM);
  #lengths = new Uint32Array(FIRST_ROOM);
  #fileOffsets = new Float64Array(FIRST_ROOM);
  #fileBytes = new Uint32Array(FIRST_ROOM);
  #unpackedBytes = new Uint32Array(FIRST_ROOM);
  #files = new Uint16Array(FIRST_ROOM);
  #encodings = new Uint8Array(FIRST_ROOM);
  /** Places of the columns, by rising offset on the disk. */
  #order = new Uint32Array(0);
  #longest = 0;

  /** Walks the reader's map once. @throws what the reader throws */
  static async build(
    reader: DiskReader,
    leaves: { readonly first: number; readonly end: number },
    { signal }: CallOptions = {},
  ): Promise<PieceIndex> {
    const index = new PieceIndex();
    const wants = (leaf: number) => leaf >= leaves.first && leaf < leaves.end;
    for await (const { file, pieces } of reader.ranges({ wants, signal })) {
      for (const piece of pieces) index.#add(file, piece);
    }
    index.#sort();
    return index;
  }

  get count(): number {
    return this.#count;
  }

  /** Those that hold any of a leaf, by rising place in their file. */
  piecesOf(leaf: number): PlacedPiece[] {
    const from = leaf * LEAF_BYTES;
    const end = from + LEAF_BYTES;
    const found: PlacedPiece[] = [];
    for (let at = this.#firstAfter(from - this.#longest); at < this.#count; at += 1) {
      const piece = this.#piece(this.#order[at] ?? 0);
      if (piece.offset >= end) break;
      if (piece.offset + piece.length > from) found.push(piece);
    }
    return found.sort((one, other) => one.file - other.file || one.fileOffset - other.fileOffset);
  }

  #add(file: number, piece: EncodedPiece): void {
    if (this.#count === this.#offsets.length) this.#grow();
    const at = this.#count;
    this.#offsets[at] = piece.offset;
    this.#lengths[at] = piece.length;
    this.#fileOffsets[at] = piece.fileOffset;
    this.#fileBytes[at] = piece.fileBytes;
    this.#unpackedBytes[at] = piece.unpackedBytes ?? 0;
    this.#files[at] = file;
    this.#encodings[at] = ENCODINGS.indexOf(piece.encoding);
    this.#longest = Math.max(this.#longest, piece.length);
    this.#count += 1;
  }

  #piece(at: number): PlacedPiece {
    const unpackedBytes = this.#unpackedBytes[at] ?? 0;
    return {
      file: this.#files[at] ?? 0,
      offset: this.#offsets[at] ?? 0,
      length: this.#lengths[at] ?? 0,
      fileOffset: this.#fileOffsets[at] ?? 0,
      fileBytes: this.#fileBytes[at] ?? 0,
      encoding: ENCODINGS[this.#encodings[at] ?? 0] ?? 'plain',
      ...(unpackedBytes === 0 ? {} : { unpackedBytes }),
    };
  }

  #sort(): void {
    const offsets = this.#offsets;
    this.#order = Uint32Array.from({ length: this.#count }, (_, at) => at);
    this.#order.sort((one, other) => (offsets[one] ?? 0) - (offsets[other] ?? 0));
  }

  /** The first in order whose offset is above `offset`. */
  #firstAfter(offset: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#offsets[this.#order[middle] ?? 0] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    this.#offsets = doubled(this.#offsets, Float64Array);
    this.#lengths = doubled(this.#lengths, Uint32Array);
    this.#fileOffsets = doubled(this.#fileOffsets, Float64Array);
    this.#fileBytes = doubled(this.#fileBytes, Uint32Array);
    this.#unpackedBytes = doubled(this.#unpackedBytes, Uint32Array);
    this.#files = doubled(this.#files, Uint16Array);
    this.#encodings = doubled(this.#encodings, Uint8Array);
  }
}

type Column = Float64Array | Uint32Array | Uint16Array | Uint8Array;

function doubled<T extends Column>(column: T, make: new (length: number) => T): T {
  const larger = new make(column.length * 2);
  larger.set(column);
  return larger;
}
