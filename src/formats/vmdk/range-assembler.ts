import { leafOf } from '../../domain/digest-layout.ts';
import { type EncodedPiece, type EncodedRange, MAX_RANGE_BYTES, type RangesOptions } from '../../ports/disk-reader.ts';
import type { LeafLedger } from './leaf-claims.ts';

/** Markers and tables between two grains are fetched along with them up to this size: cheaper than another request. */
const MAX_GAP_BYTES = 64 * 1024;

/** Joins pieces that lie close together in the file to ranges, and tells with each range which leaves it closes. */
export class RangeAssembler {
  readonly #file: number;
  readonly #ledger: LeafLedger;
  readonly #wants: RangesOptions['wants'];
  #pieces: EncodedPiece[] = [];
  #start = 0;
  #end = 0;

  constructor(file: number, ledger: LeafLedger, wants: RangesOptions['wants']) {
    this.#file = file;
    this.#ledger = ledger;
    this.#wants = wants;
  }

  /** Takes the next piece in file order. Returns the range before it when that is complete. */
  add(piece: EncodedPiece): EncodedRange | undefined {
    if (!isWanted(piece, this.#wants)) {
      this.#ledger.settle(piece.offset, piece.length);
      return undefined;
    }
    const end = piece.fileOffset + piece.fileBytes;
    const fits = piece.fileOffset - this.#end <= MAX_GAP_BYTES && end - this.#start <= MAX_RANGE_BYTES;
    // The leaves that this piece closes are closed by the range it lies in, so the one before is taken first.
    const complete = this.#pieces.length > 0 && !fits ? this.take() : undefined;
    if (this.#pieces.length === 0) this.#start = piece.fileOffset;
    this.#pieces.push(piece);
    this.#end = end;
    this.#ledger.settle(piece.offset, piece.length);
    return complete;
  }

  /** The range so far; also one without bytes when only leaves are left to be closed. */
  take(): EncodedRange | undefined {
    const closed = this.#ledger.takeClosed();
    if (this.#pieces.length === 0 && closed.length === 0) return undefined;
    const isEmpty = this.#pieces.length === 0;
    const range = {
      file: this.#file,
      fileOffset: isEmpty ? this.#end : this.#start,
      fileBytes: isEmpty ? 0 : this.#end - this.#start,
      pieces: this.#pieces,
      ...(closed.length > 0 && { closesLeaves: closed }),
    };
    this.#pieces = [];
    return range;
  }
}

/** False when every leaf the piece touches is unwanted. */
export function isWanted(
  { offset, length }: { offset: number; length: number },
  wants: RangesOptions['wants'],
): boolean {
  if (!wants) return true;
  const last = leafOf(offset + length - 1);
  for (let leaf = leafOf(offset); leaf <= last; leaf += 1) if (wants(leaf)) return true;
  return false;
}
