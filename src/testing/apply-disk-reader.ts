import type { FileHandle } from 'node:fs/promises';
import { LEAF_BYTES, leafCount, leafOf } from '../domain/digest-layout.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DecodePiece, DiskReader, EncodedRange, RangesOptions } from '../ports/disk-reader.ts';

/** Reads a small disk to its end; what no range holds is zero. Holds the reader to its contract while it does, see `decodeRanges`. */
export async function readWholeDisk(
  reader: DiskReader,
  decode: DecodePiece,
  options: RangesOptions = {},
): Promise<Buffer> {
  if (reader.virtualSizeBytes > 2 ** 30) throw new Error('too large for memory; use writeDiskTo');
  const disk = Buffer.alloc(reader.virtualSizeBytes);
  for await (const { offset, bytes } of decodeRanges(reader, decode, options)) disk.set(bytes, offset);
  return disk;
}

/** The same into a file, whose holes stay holes. */
export async function writeDiskTo(
  reader: DiskReader,
  decode: DecodePiece,
  file: FileHandle,
  options: RangesOptions = {},
): Promise<void> {
  await file.truncate(reader.virtualSizeBytes);
  for await (const { offset, bytes } of decodeRanges(reader, decode, options)) {
    await file.write(bytes, 0, bytes.length, offset);
  }
}

/**
 * Fetches and decodes all ranges. Throws an ordinary error where the reader breaks its contract: ranges or pieces out of order, pieces outside their range or the
 * disk, data twice, a piece for a leaf that was closed, a leaf closed twice, an exact allocation that is not.
 */
export async function* decodeRanges(
  reader: DiskReader,
  decode: DecodePiece,
  options: RangesOptions = {},
): AsyncGenerator<{ offset: number; bytes: Uint8Array }, void> {
  const check = new ContractCheck(reader, options);
  for await (const range of reader.ranges(options)) {
    check.range(range);
    if (range.pieces.length === 0) continue;
    const bytes = range.bytes ?? (await fetchRange(reader, range, options));
    for (const piece of range.pieces) {
      const at = piece.fileOffset - range.fileOffset;
      const encoded = bytes.subarray(at, at + piece.fileBytes);
      const out = new Uint8Array(piece.length);
      const decoded = piece.encoding === 'plain' ? copy(encoded, out) : decode(piece, encoded, out);
      const mayBeShort = piece.offset + piece.length === reader.virtualSizeBytes;
      check.that(decoded === out.length || mayBeShort, `piece at ${piece.offset} decodes to ${decoded} bytes`);
      yield { offset: piece.offset, bytes: out.subarray(0, decoded) };
    }
  }
  check.end();
}

async function fetchRange(reader: DiskReader, range: EncodedRange, options: CallOptions): Promise<Uint8Array> {
  const file = reader.files[range.file];
  if (!file?.read) throw new Error(`range of ${range.file} has no bytes and its file cannot be read`);
  return await file.read(range.fileOffset, range.fileBytes, options);
}

function copy(from: Uint8Array, to: Uint8Array): number {
  to.set(from);
  return from.length;
}

class ContractCheck {
  readonly #reader: DiskReader;
  readonly #isWhole: boolean;
  readonly #isClosed: Uint8Array;
  /** Start to end of what was handed over, by start; small disks only. */
  readonly #seen = new Map<number, number>();
  #file = 0;
  #fileEnd = 0;
  #bytes = 0;

  constructor(reader: DiskReader, options: RangesOptions) {
    this.#reader = reader;
    this.#isWhole = options.wants === undefined;
    this.#isClosed = new Uint8Array(leafCount(reader.virtualSizeBytes));
  }

  range(range: EncodedRange): void {
    if (range.file !== this.#file) {
      this.that(range.file > this.#file, `file ${range.file} comes after file ${this.#file}`);
      this.#fileEnd = 0;
    }
    this.that(range.fileOffset >= this.#fileEnd, `range at ${range.fileOffset} begins before ${this.#fileEnd}`);
    this.that(!range.bytes || range.bytes.length === range.fileBytes, `range at ${range.fileOffset} has other bytes`);
    this.#file = range.file;
    this.#fileEnd = range.fileOffset + range.fileBytes;
    let pieceEnd = range.fileOffset;
    for (const piece of range.pieces) {
      this.that(piece.fileOffset >= pieceEnd, `piece at ${piece.fileOffset} begins before ${pieceEnd}`);
      pieceEnd = piece.fileOffset + piece.fileBytes;
      this.that(pieceEnd <= this.#fileEnd, `piece at ${piece.fileOffset} leaves its range`);
      this.#place(piece.offset, piece.length);
    }
    for (const { first, count } of range.closesLeaves ?? []) {
      for (let leaf = first; leaf < first + count; leaf += 1) {
        this.that(leaf < this.#isClosed.length, `leaf ${leaf} is beyond the disk`);
        this.that(!this.#isClosed[leaf], `leaf ${leaf} is closed twice`);
        this.#isClosed[leaf] = 1;
      }
    }
  }

  end(): void {
    const starts = [...this.#seen.keys()].sort((one, other) => one - other);
    let end = 0;
    for (const start of starts) {
      this.that(start >= end, `byte ${start} of the disk is handed over twice`);
      end = this.#seen.get(start) ?? start;
    }
    const { allocation } = this.#reader;
    if (this.#isWhole && allocation.kind === 'exact') {
      this.that(allocation.bytes === this.#bytes, `allocation says ${allocation.bytes}, ranges held ${this.#bytes}`);
    }
  }

  that(holds: boolean, otherwise: string): void {
    if (!holds) throw new Error(`${this.#reader.format} reader breaks its contract: ${otherwise}`);
  }

  #place(offset: number, length: number): void {
    this.that(length > 0 && offset + length <= this.#reader.virtualSizeBytes, `piece at ${offset} leaves the disk`);
    for (let leaf = leafOf(offset); leaf * LEAF_BYTES < offset + length; leaf += 1) {
      this.that(!this.#isClosed[leaf], `piece at ${offset} lies in leaf ${leaf}, which was closed`);
    }
    this.that(!this.#seen.has(offset), `byte ${offset} of the disk is handed over twice`);
    this.#seen.set(offset, offset + length);
    this.#bytes += length;
  }
}
