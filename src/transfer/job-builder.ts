import { BLOCK_BYTES } from '../domain/digest-layout.ts';
import type { EncodedPiece } from '../ports/disk-reader.ts';
import { type LaneJob, packPieces } from './lanes/lane-job.ts';
import { JOB_BYTES } from './lanes/run-job.ts';

/** Bytes between two pieces that are read along with them. */
const MAX_GAP_BYTES = 64 * 1024;

/** Work for a lane, and what is too small for one. */
export interface BuiltWork {
  readonly job: LaneJob | undefined;
  /** The run of the file that all pieces lie in. */
  readonly file: number;
  readonly fileOffset: number;
  readonly fileBytes: number;
  /** The pieces that the job holds. */
  readonly pieces: readonly EncodedPiece[];
  /** Pieces that hold parts of blocks whose other parts are not in reach; whoever has all parts puts them together. */
  readonly fragments: readonly EncodedPiece[];
}

/** Collects neighbouring pieces of one file to jobs that a lane can do alone: whole blocks, a bounded number of bytes on either side. */
export class JobBuilder {
  readonly #virtualSizeBytes: number;
  #file = 0;
  #pieces: EncodedPiece[] = [];
  /** By block, pieces that lie inside it and are smaller. */
  readonly #parts = new Map<number, EncodedPiece[]>();
  #fragments: EncodedPiece[] = [];
  #start = 0;
  #end = 0;
  #diskBytes = 0;

  constructor(virtualSizeBytes: number) {
    this.#virtualSizeBytes = virtualSizeBytes;
  }

  /** Takes the next piece of a file; returns the work before it when this one does not fit to it. */
  add(file: number, piece: EncodedPiece): BuiltWork | undefined {
    const end = piece.fileOffset + piece.fileBytes;
    const isEmpty = this.#isEmpty;
    const gap = piece.fileOffset - this.#end;
    const fits =
      file === this.#file &&
      gap >= 0 &&
      gap <= MAX_GAP_BYTES &&
      end - this.#start <= JOB_BYTES &&
      this.#diskBytes + piece.length <= JOB_BYTES;
    const before = isEmpty || fits ? undefined : this.take();
    if (before !== undefined || isEmpty) {
      this.#file = file;
      this.#start = piece.fileOffset;
    }
    this.#end = end;
    this.#diskBytes += piece.length;
    this.#sort(piece);
    return before;
  }

  /** What was added since the last work. */
  take(): BuiltWork | undefined {
    if (this.#isEmpty) return undefined;
    for (const [block, parts] of this.#parts) this.#sortParts(block, parts);
    const pieces = this.#pieces;
    const fragments = this.#fragments;
    const run = { file: this.#file, fileOffset: this.#start, fileBytes: this.#end - this.#start };
    const job: LaneJob | undefined = pieces.length === 0 ? undefined : { ...run, pieces: packPieces(pieces) };
    this.#pieces = [];
    this.#fragments = [];
    this.#parts.clear();
    this.#diskBytes = 0;
    return { ...run, job, pieces, fragments };
  }

  get #isEmpty(): boolean {
    return this.#pieces.length === 0 && this.#fragments.length === 0 && this.#parts.size === 0;
  }

  #sort(piece: EncodedPiece): void {
    const { offset, length } = piece;
    const end = offset + length;
    const endsWell = end % BLOCK_BYTES === 0 || end >= this.#virtualSizeBytes;
    if (offset % BLOCK_BYTES === 0 && endsWell) {
      this.#pieces.push(piece);
      return;
    }
    const block = Math.floor(offset / BLOCK_BYTES);
    if (end > (block + 1) * BLOCK_BYTES) {
      this.#fragments.push(piece);
      return;
    }
    const parts = this.#parts.get(block);
    if (parts === undefined) this.#parts.set(block, [piece]);
    else parts.push(piece);
  }

  /** Parts that make up their block without gap or overlap are as good as a whole piece. */
  #sortParts(block: number, parts: EncodedPiece[]): void {
    parts.sort((one, other) => one.offset - other.offset);
    let at = block * BLOCK_BYTES;
    for (const { offset, length } of parts) {
      if (offset !== at) break;
      at += length;
    }
    const isWhole = at >= Math.min((block + 1) * BLOCK_BYTES, this.#virtualSizeBytes) && isUnbroken(parts);
    (isWhole ? this.#pieces : this.#fragments).push(...parts);
  }
}

function isUnbroken(parts: readonly EncodedPiece[]): boolean {
  return parts.every(({ offset }, index) => {
    const before = parts[index - 1];
    return before === undefined || before.offset + before.length === offset;
  });
}
