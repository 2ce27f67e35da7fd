import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import { type LeafOptions, tooShort } from './leaf-options.ts';
import { PieceIndex, type PlacedPiece } from './piece-index.ts';
import type { DiskSurvey } from './survey-disk.ts';

export interface LeafReaderOptions extends LeafOptions {
  readonly reader: DiskReader;
  readonly survey: DiskSurvey;
}

/** Leaves kept: those that are read, and the ones fetched ahead. 4 MiB each. */
const KEPT_LEAVES = 8;
const KEPT_SECTIONS = 2;
/** Fetched at once for one leaf. */
const REQUESTS = 4;
const MAX_REQUEST_BYTES = 2 * 1024 * 1024;
/** Bytes between two pieces that cost less than another request. */
const MAX_GAP_BYTES = 64 * 1024;

/**
 * Reads and unpacks any leaf of a disk whose files can be read anywhere. A leaf that several want at once, or that was wanted a moment ago, is fetched once. Memory: eight leaves, what
 * is fetched for them, and the places of a million pieces, whatever the size of the disk.
 */
export class LeafReader {
  readonly #options: LeafReaderOptions;
  readonly #leaves = new Map<number, Promise<Uint8Array>>();
  readonly #sections = new Map<number, Promise<PieceIndex>>();

  constructor(options: LeafReaderOptions) {
    this.#options = options;
  }

  /**
   * The whole leaf; holes, also those inside a piece that came out short at the disk's end, are zero. Not to be changed.
   * @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized`, and the problems of the source
   */
  read(leaf: number): Promise<Uint8Array> {
    const known = this.#leaves.get(leaf);
    if (known !== undefined) {
      // Moves to the end: the first one is the least recently used.
      this.#leaves.delete(leaf);
      this.#leaves.set(leaf, known);
      return known;
    }
    const reading = this.#fetch(leaf);
    this.#leaves.set(leaf, reading);
    reading.catch(() => {
      if (this.#leaves.get(leaf) === reading) this.#leaves.delete(leaf);
    });
    for (const oldest of this.#leaves.keys()) {
      if (this.#leaves.size <= KEPT_LEAVES) break;
      this.#leaves.delete(oldest);
    }
    return reading;
  }

  async #fetch(leaf: number): Promise<Uint8Array> {
    const { reader, signal, onLeaf } = this.#options;
    const index = await this.#sectionOf(leaf);
    signal?.throwIfAborted();
    const bytes = new Uint8Array(Math.min(LEAF_BYTES, reader.virtualSizeBytes - leaf * LEAF_BYTES));
    const groups = groupPieces(index.piecesOf(leaf));
    let next = 0;
    const work = async () => {
      for (let group = groups[next++]; group !== undefined; group = groups[next++])
        await this.#readGroup(group, leaf * LEAF_BYTES, bytes);
    };
    await Promise.all(Array.from({ length: Math.min(REQUESTS, groups.length) }, work));
    onLeaf?.(leaf, bytes);
    return bytes;
  }

  async #readGroup({ file, from, end, pieces }: Group, leafOffset: number, into: Uint8Array): Promise<void> {
    const { reader, decode, rateLimiter, onFetched, signal } = this.#options;
    await rateLimiter?.take(end - from, { signal });
    const source = reader.files[file];
    if (source?.read === undefined) throw new ProblemError('SourceRangesRequired', `file ${file} of ${reader.format}`);
    const encoded = await source.read(from, end - from, { signal });
    onFetched?.(encoded.length);
    for (const piece of pieces) {
      const packed = encoded.subarray(piece.fileOffset - from, piece.fileOffset - from + piece.fileBytes);
      const at = piece.offset - leafOffset;
      const isInside = at >= 0 && at + piece.length <= into.length;
      const out = isInside ? into.subarray(at, at + piece.length) : new Uint8Array(piece.length);
      const decoded = decode(piece, packed, out);
      if (decoded < piece.length && piece.offset + piece.length < reader.virtualSizeBytes)
        throw tooShort(piece, decoded);
      if (isInside) continue;
      const part = out.subarray(Math.max(0, -at), Math.min(piece.length, into.length - at));
      into.set(part, Math.max(0, at));
    }
  }

  #sectionOf(leaf: number): Promise<PieceIndex> {
    const { reader, survey, signal } = this.#options;
    const at = survey.sections.findIndex(({ end }) => leaf < end);
    const section = survey.sections[at];
    if (section === undefined) throw new RangeError(`the disk has no leaf ${leaf}`);
    const known = this.#sections.get(at);
    if (known !== undefined) return known;
    const building = PieceIndex.build(reader, section, { signal });
    this.#sections.set(at, building);
    building.catch(() => this.#sections.delete(at));
    for (const oldest of this.#sections.keys()) {
      if (this.#sections.size <= KEPT_SECTIONS) break;
      this.#sections.delete(oldest);
    }
    return building;
  }
}

interface Group {
  readonly file: number;
  readonly from: number;
  end: number;
  readonly pieces: PlacedPiece[];
}

/** Pieces that lie close together, to be fetched by one request. */
function groupPieces(pieces: readonly PlacedPiece[]): Group[] {
  const groups: Group[] = [];
  for (const piece of pieces) {
    const { file, fileOffset, fileBytes } = piece;
    const end = fileOffset + fileBytes;
    const last = groups.at(-1);
    const isNear =
      last?.file === file && fileOffset - last.end <= MAX_GAP_BYTES && end - last.from <= MAX_REQUEST_BYTES;
    if (last !== undefined && isNear) {
      last.end = Math.max(last.end, end);
      last.pieces.push(piece);
    } else groups.push({ file, from: fileOffset, end, pieces: [piece] });
  }
  return groups;
}
