import { type EncodedPiece, type EncodedRange, MAX_RANGE_BYTES } from '../../ports/disk-reader.ts';
import type { ByteReader } from '../byte-reader.ts';
import { closing } from './flat-extent.ts';
import type { LeafLedger } from './leaf-claims.ts';

/** Joins grains that pass one after the other to ranges that carry their bytes. Memory: one range. */
export class ForwardRun {
  readonly #file: number;
  readonly #ledger: LeafLedger;
  #buffer: Uint8Array | undefined;
  #pieces: EncodedPiece[] = [];
  #start = 0;
  #end = 0;

  constructor(file: number, ledger: LeafLedger) {
    this.#file = file;
    this.#ledger = ledger;
  }

  /** The range so far when `piece` does not fit behind it; to be asked before each `add`, and before the leaves that the piece closes are settled. */
  makeRoom(piece: EncodedPiece): EncodedRange | undefined {
    const needed = piece.fileOffset + piece.fileBytes - this.#start;
    return this.#buffer && needed > this.#buffer.length ? this.take() : undefined;
  }

  /** Takes a piece whose first bytes, `head`, were read already; the others are read from where `reader` stands. */
  async add(piece: EncodedPiece, head: Uint8Array, reader: ByteReader): Promise<void> {
    if (!this.#buffer) {
      this.#start = piece.fileOffset;
      this.#buffer = new Uint8Array(Math.max(MAX_RANGE_BYTES, piece.fileBytes));
    }
    const first = head.subarray(0, piece.fileBytes);
    let at = piece.fileOffset - this.#start;
    this.#end = at + piece.fileBytes;
    this.#buffer.set(first, at);
    at += first.length;
    while (at < this.#end) {
      const part = await reader.readSome(this.#end - at);
      // Asked for more than there is, the reader throws that the file is truncated.
      if (part.length === 0) await reader.readExactly(this.#end - at);
      this.#buffer.set(part, at);
      at += part.length;
    }
    this.#pieces.push(piece);
  }

  take(): EncodedRange | undefined {
    const closed = closing(this.#ledger.takeClosed());
    const buffer = this.#buffer;
    if (!buffer && !closed) return undefined;
    const range = {
      file: this.#file,
      fileOffset: buffer ? this.#start : this.#start + this.#end,
      fileBytes: buffer ? this.#end : 0,
      pieces: this.#pieces,
      ...(buffer && { bytes: buffer.subarray(0, this.#end) }),
      ...closed,
    };
    this.#buffer = undefined;
    this.#pieces = [];
    return range;
  }
}
