import { leafOf } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import { type EncodedPiece, type EncodedRange, type LeafRun, MAX_RANGE_BYTES } from '../../ports/disk-reader.ts';

/** Unneeded bytes inside a range, such as the rest of a sector behind a compressed cluster. */
const MAX_GAP_BYTES = 4096;
const MAX_RUNS_PER_RANGE = 4096;

type Wants = (leaf: number) => boolean;

/** Leaves without any piece, as ranges of no bytes. */
export function* closeHoleLeaves(piecesPerLeaf: Uint16Array, wants: Wants): Generator<EncodedRange, void> {
  let runs: { first: number; count: number }[] = [];
  for (let leaf = 0; leaf < piecesPerLeaf.length; leaf += 1) {
    if (piecesPerLeaf[leaf] !== 0 || !wants(leaf)) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === leaf) {
      last.count += 1;
      continue;
    }
    if (runs.length === MAX_RUNS_PER_RANGE) {
      yield emptyRange(runs);
      runs = [];
    }
    runs.push({ first: leaf, count: 1 });
  }
  if (runs.length > 0) yield emptyRange(runs);
}

function emptyRange(closesLeaves: LeafRun[]): EncodedRange {
  return { file: 0, fileOffset: 0, fileBytes: 0, pieces: [], closesLeaves };
}

/**
 * Makes ranges of pieces that come in the file's order: cuts the sector that neighbouring compressed clusters share, leaves out what nobody wants, and tells which
 * leaf got its last piece.
 */
export class RangeBuilder {
  readonly #left: Uint16Array;
  readonly #wants: Wants;
  readonly #name: string;
  /** Not taken yet: only the next one tells where it ends. */
  #held: EncodedPiece | undefined;
  #pieces: EncodedPiece[] = [];
  #closed: number[] = [];

  /** @param piecesPerLeaf is copied */
  constructor(piecesPerLeaf: Uint16Array, wants: Wants, name: string) {
    this.#left = Uint16Array.from(piecesPerLeaf);
    this.#wants = wants;
    this.#name = name;
  }

  /** Takes the next piece; returns a range when one is complete. */
  add(piece: EncodedPiece): EncodedRange | undefined {
    const held = this.#held;
    this.#held = piece;
    return held === undefined ? undefined : this.#take(this.#cutAt(held, piece));
  }

  /** What is left when no piece follows. */
  *end(): Generator<EncodedRange, void> {
    const complete = this.#held === undefined ? undefined : this.#take(this.#held);
    if (complete !== undefined) yield complete;
    if (this.#pieces.length > 0) yield this.#build();
  }

  #cutAt(piece: EncodedPiece, next: EncodedPiece): EncodedPiece {
    const over = piece.fileOffset + piece.fileBytes - next.fileOffset;
    if (over <= 0) return piece;
    // A compressed cluster's length counts whole sectors, and the next one may begin in the last of them.
    if (piece.encoding === 'plain' || over >= 512 || over >= piece.fileBytes) {
      throw new ProblemError(
        'DiskImageCorrupt',
        `${this.#name}: the clusters at file offsets ${piece.fileOffset} and ${next.fileOffset} overlap`,
        { context: { offset: piece.offset, fileOffset: piece.fileOffset } },
      );
    }
    return { ...piece, fileBytes: piece.fileBytes - over };
  }

  #take(piece: EncodedPiece): EncodedRange | undefined {
    const leaf = leafOf(piece.offset);
    const left = this.#left[leaf] ?? 0;
    if (left === 0) {
      throw new ProblemError('DiskImageCorrupt', `${this.#name}: its tables changed while they were read`);
    }
    this.#left[leaf] = left - 1;
    if (!this.#wants(leaf)) return undefined;
    const [first] = this.#pieces;
    const last = this.#pieces.at(-1);
    const end = piece.fileOffset + piece.fileBytes;
    let complete: EncodedRange | undefined;
    if (first !== undefined && last !== undefined) {
      const gap = piece.fileOffset - (last.fileOffset + last.fileBytes);
      if (gap > MAX_GAP_BYTES || end - first.fileOffset > MAX_RANGE_BYTES) complete = this.#build();
    }
    this.#pieces.push(piece);
    if (left === 1) this.#closed.push(leaf);
    return complete;
  }

  #build(): EncodedRange {
    const pieces = this.#pieces;
    const fileOffset = pieces[0]?.fileOffset ?? 0;
    const last = pieces.at(-1);
    const fileBytes = last === undefined ? 0 : last.fileOffset + last.fileBytes - fileOffset;
    const closesLeaves = this.#closed.sort((one, other) => one - other).map((first) => ({ first, count: 1 }));
    this.#pieces = [];
    this.#closed = [];
    return { file: 0, fileOffset, fileBytes, pieces, ...(closesLeaves.length > 0 ? { closesLeaves } : {}) };
  }
}
