import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { type GrainTable, type GrainTables, overlaps, requireInside } from './grain-tables.ts';
import {
  corrupt,
  ENTRY_ZEROED,
  MARKER_HEAD_BYTES,
  namesGrain,
  parseMarker,
  SECTOR_BYTES,
  type SparseHeader,
} from './layout.ts';

/** Grains in rising file order, valid until the next are asked for; `grains[n]` is the index of the grain that begins at `sectors[n]`, NOT_A_GRAIN for a table between them. */
export interface PlacedGrains {
  readonly sectors: Uint32Array;
  readonly grains: Float64Array;
  readonly count: number;
}

export const NOT_A_GRAIN = -1;

/** File sectors are counted in bins of this many, to cut the file into buckets of bounded content. */
const BIN_SECTORS = 65_536;
const BUCKET_ENTRIES = 1_000_000;
/** Sorting key: sector (32 bits) and place in the bucket; together they fit a double's 53 bits. */
const PLACE_LIMIT = 2 ** 21;

/**
 * Where each grain lies in the file. Opening walks all tables once and checks every entry. When the grains lie in order of their addresses, reading them in file
 * order is another walk. When not, it takes one walk per million grains: each picks the entries of one part of the file and sorts them. Memory: the
 * tables while they are small (see TableCache), else 32 MiB.
 */
export class GrainMap {
  readonly tables: GrainTables;
  readonly #sizeBytes: number;
  readonly #bins: Uint32Array;
  #isOrdered = true;
  /** End of the structure that lies last in the file among those seen, while they come in order. */
  #frontier: number;
  #lastGrain: { fileOffset: number } | undefined;
  #grainCount = 0;

  private constructor(tables: GrainTables, sizeBytes: number) {
    this.tables = tables;
    this.#sizeBytes = sizeBytes;
    this.#bins = new Uint32Array(Math.ceil(tables.file.sizeBytes / (BIN_SECTORS * SECTOR_BYTES)) + 1);
    this.#frontier = tables.header.dataOffset;
  }

  /**
   * @param options.sizeBytes of the extent; its last grain may be cut short
   * @param options.onGrain is told each grain, by rising index
   * @throws ProblemError `DiskImageCorrupt`, `DiskImageTruncated`
   */
  static async open(
    tables: GrainTables,
    options: CallOptions & { readonly sizeBytes: number; readonly onGrain: (grain: number) => void },
  ): Promise<GrainMap> {
    const map = new GrainMap(tables, options.sizeBytes);
    for await (const table of tables.walk(options)) map.#scan(table, options.onGrain);
    await map.#checkLastGrain(options);
    return map;
  }

  get header(): SparseHeader {
    return this.tables.header;
  }

  get grainCount(): number {
    return this.#grainCount;
  }

  /** Bytes of the disk that a grain holds: the last one may be short. */
  lengthOf(grain: number): number {
    return Math.min(this.header.grainBytes, this.#sizeBytes - grain * this.header.grainBytes);
  }

  /** Least number of bytes that a grain takes up in the file. */
  leastBytesOf(grain: number): number {
    return this.header.isCompressed ? SECTOR_BYTES : this.lengthOf(grain);
  }

  async *inFileOrder(options: CallOptions): AsyncGenerator<PlacedGrains, void> {
    if (!this.#isOrdered) {
      const buckets = [...this.#buckets()];
      // One set of arrays for all buckets: the garbage of many would be a multiple of what is in use.
      const scratch = newScratch(Math.max(0, ...buckets.map((bucket) => bucket.count)));
      for (const bucket of buckets) yield await this.#readBucket(bucket, scratch, options);
      return;
    }
    for await (const table of this.tables.walk(options)) {
      const first = table.index * this.header.entriesPerTable;
      const placed = newPlacedGrains(table.entries.length);
      let count = 0;
      for (let at = 0; at < table.entries.length; at += 1) {
        const sector = table.entries[at] ?? 0;
        if (sector <= ENTRY_ZEROED) continue;
        placed.sectors[count] = sector;
        placed.grains[count] = first + at;
        count += 1;
      }
      if (count > 0) yield { ...placed, count };
    }
  }

  #scan(table: GrainTable, onGrain: (grain: number) => void): void {
    const { header } = this;
    const first = table.index * header.entriesPerTable;
    for (let at = 0; at < table.entries.length; at += 1) {
      const sector = table.entries[at] ?? 0;
      if (!namesGrain(sector, first + at, header, this.tables.file.name)) continue;
      const start = sector * SECTOR_BYTES;
      this.#checkGrain(first + at, start);
      this.#count(sector);
      const least = this.leastBytesOf(first + at);
      if (start < this.#frontier) this.#isOrdered = false;
      this.#frontier = start + least;
      if (start >= (this.#lastGrain?.fileOffset ?? 0)) this.#lastGrain = { fileOffset: start };
      this.#grainCount += 1;
      onGrain(first + at);
    }
    if (!this.#isAmongGrains(table)) return;
    this.#count(table.fileOffset / SECTOR_BYTES);
    if (table.fileOffset < this.#frontier) this.#isOrdered = false;
    this.#frontier = table.fileOffset + header.tableBytes;
  }

  #checkGrain(grain: number, start: number): void {
    const { header, tables } = this;
    const { file } = tables;
    if (grain * header.grainBytes >= this.#sizeBytes) {
      throw corrupt(file.name, `has a grain for byte ${grain * header.grainBytes} of a disk of ${this.#sizeBytes}`);
    }
    const needed = header.isCompressed ? MARKER_HEAD_BYTES : this.lengthOf(grain);
    requireInside(file, header, `grain ${grain}`, start, needed);
    const { directoryOffset, directoryBytes } = tables;
    if (
      start < header.dataOffset ||
      overlaps(start, start + needed, directoryOffset, directoryOffset + directoryBytes)
    ) {
      throw corrupt(file.name, `has grain ${grain} at byte ${start}, among its own tables`);
    }
  }

  /** A sector begins one thing at most, so a fuller bin means that tables point to the same place again and again. */
  #count(sector: number): void {
    const bin = Math.floor(sector / BIN_SECTORS);
    const count = (this.#bins[bin] ?? 0) + 1;
    this.#bins[bin] = count;
    if (count > BIN_SECTORS) {
      throw corrupt(this.tables.file.name, `has overlapping grains near byte ${sector * SECTOR_BYTES}`);
    }
  }

  #isAmongGrains(table: GrainTable): boolean {
    return table.fileOffset + this.header.tableBytes > this.header.dataOffset;
  }

  /** The map cannot tell how long a compressed grain is; a file that ends inside its last one is noticed here instead of at the end of the copy. */
  async #checkLastGrain(options: CallOptions): Promise<void> {
    if (!this.header.isCompressed || !this.#lastGrain) return;
    const { file } = this.tables;
    const { fileOffset } = this.#lastGrain;
    const head = new Uint8Array(SECTOR_BYTES);
    head.set(await file.read(fileOffset, MARKER_HEAD_BYTES, options));
    const marker = parseMarker(head, file.name, fileOffset);
    const end = fileOffset + MARKER_HEAD_BYTES + marker.payloadBytes;
    if (marker.kind === 'grain' && end > file.sizeBytes) {
      const detail = `${file.name} has ${file.sizeBytes} bytes; its last grain ends at byte ${end}`;
      throw new ProblemError('DiskImageTruncated', detail, { context: { fileBytes: file.sizeBytes } });
    }
  }

  *#buckets(): Generator<Bucket, void> {
    let from = 0;
    let count = 0;
    for (const [bin, inBin] of this.#bins.entries()) {
      count += inBin;
      const isLast = bin === this.#bins.length - 1;
      if (count === 0 || (count < BUCKET_ENTRIES && !isLast)) continue;
      yield { fromSector: from, toSector: (bin + 1) * BIN_SECTORS, count };
      from = (bin + 1) * BIN_SECTORS;
      count = 0;
    }
  }

  async #readBucket(
    { fromSector, toSector, count }: Bucket,
    { keys, unsorted, placed }: Scratch,
    options: CallOptions,
  ): Promise<PlacedGrains> {
    let filled = 0;
    const add = (sector: number, grain: number) => {
      if (sector < fromSector || sector >= toSector) return;
      // A file that changed since it was opened; it is noticed as such later, here only the arrays are guarded.
      if (filled === count) throw corrupt(this.tables.file.name, 'changed its grain tables while it was read');
      keys[filled] = sector * PLACE_LIMIT + filled;
      unsorted[filled] = grain;
      filled += 1;
    };
    for await (const table of this.tables.walk(options)) {
      const first = table.index * this.header.entriesPerTable;
      for (let at = 0; at < table.entries.length; at += 1) {
        const sector = table.entries[at] ?? 0;
        if (sector > ENTRY_ZEROED) add(sector, first + at);
      }
      if (this.#isAmongGrains(table)) add(table.fileOffset / SECTOR_BYTES, NOT_A_GRAIN);
    }

    keys.subarray(0, filled).sort();
    for (let at = 0; at < filled; at += 1) {
      const key = keys[at] ?? 0;
      placed.sectors[at] = Math.floor(key / PLACE_LIMIT);
      placed.grains[at] = unsorted[key % PLACE_LIMIT] ?? NOT_A_GRAIN;
    }
    return { ...placed, count: filled };
  }
}

interface Bucket {
  readonly fromSector: number;
  readonly toSector: number;
  readonly count: number;
}

interface Scratch {
  readonly keys: Float64Array;
  readonly unsorted: Float64Array;
  readonly placed: Omit<PlacedGrains, 'count'>;
}

function newScratch(length: number): Scratch {
  return { keys: new Float64Array(length), unsorted: new Float64Array(length), placed: newPlacedGrains(length) };
}

function newPlacedGrains(length: number): Omit<PlacedGrains, 'count'> {
  return { sectors: new Uint32Array(length), grains: new Float64Array(length) };
}
