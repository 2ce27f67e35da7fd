import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { RangedFile } from './extent.ts';
import { corrupt, parseEntries, SECTOR_BYTES, type SparseHeader } from './layout.ts';

export interface GrainTable {
  readonly index: number;
  readonly fileOffset: number;
  readonly entries: Uint32Array;
}

const DIRECTORY_CHUNK_ENTRIES = 16_384;
const MAX_TABLES_PER_READ = 64;
const PARALLEL_READS = 8;

/** Bytes of tables kept in memory by all extents of a disk together; larger maps are read again for every walk. */
export class TableCache {
  #leftBytes = 16 * 1024 * 1024;

  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false;
    this.#leftBytes -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#leftBytes += bytes;
  }
}

/** The grain directory and its tables, walked as often as wanted in constant memory. The redundant copies, which may be damaged, are never looked at. */
export class GrainTables {
  readonly file: RangedFile;
  readonly header: SparseHeader;
  readonly directoryOffset: number;
  readonly #budget: TableCache;
  #kept: Map<number, Uint8Array> | undefined = new Map();
  #keptBytes = 0;

  /** @throws ProblemError `DiskImageTruncated`, `DiskImageCorrupt` when the directory does not lie in the file */
  constructor(file: RangedFile, header: SparseHeader, directoryOffset: number, budget: TableCache) {
    this.file = file;
    this.header = header;
    this.directoryOffset = directoryOffset;
    this.#budget = budget;
    requireInside(file, header, 'grain directory', directoryOffset, this.directoryBytes);
  }

  get directoryBytes(): number {
    return this.header.tableCount * 4;
  }

  /** Yields the tables there are, by rising address; absent ones are left out. */
  async *walk(options: CallOptions): AsyncGenerator<GrainTable, void> {
    const { tableCount, tableBytes } = this.header;
    for (let first = 0; first < tableCount; first += DIRECTORY_CHUNK_ENTRIES) {
      const count = Math.min(DIRECTORY_CHUNK_ENTRIES, tableCount - first);
      const directory = parseEntries(await this.#read(this.directoryOffset + first * 4, count * 4, options));
      const runs = this.#runsOf(directory, first);
      for (let next = 0; next < runs.length; next += PARALLEL_READS) {
        const some = runs.slice(next, next + PARALLEL_READS);
        const bytes = await Promise.all(
          some.map((run) => this.#read(run.fileOffset, run.tables.length * tableBytes, options)),
        );
        for (const [at, run] of some.entries()) {
          const entries = parseEntries(bytes[at] ?? new Uint8Array(0));
          for (const [place, index] of run.tables.entries()) {
            const from = place * this.header.entriesPerTable;
            yield {
              index,
              fileOffset: run.fileOffset + place * tableBytes,
              entries: entries.subarray(from, from + this.header.entriesPerTable),
            };
          }
        }
      }
    }
  }

  /** Joins tables that lie one after the other, so that they take one read. */
  #runsOf(directory: Uint32Array, first: number): { fileOffset: number; tables: number[] }[] {
    const runs: { fileOffset: number; tables: number[] }[] = [];
    for (const [at, sector] of directory.entries()) {
      if (sector === 0) continue;
      const fileOffset = sector * SECTOR_BYTES;
      this.#checkTable(fileOffset, first + at);
      const run = runs.at(-1);
      const isNext = run && run.fileOffset + run.tables.length * this.header.tableBytes === fileOffset;
      if (isNext && run.tables.length < MAX_TABLES_PER_READ) run.tables.push(first + at);
      else runs.push({ fileOffset, tables: [first + at] });
    }
    return runs;
  }

  #checkTable(fileOffset: number, index: number): void {
    const { file, header } = this;
    const what = `grain table ${index}`;
    requireInside(file, header, what, fileOffset, header.tableBytes);
    const end = fileOffset + header.tableBytes;
    if (overlaps(fileOffset, end, this.directoryOffset, this.directoryOffset + this.directoryBytes)) {
      throw corrupt(file.name, `has its ${what} at byte ${fileOffset}, inside the grain directory`);
    }
    const { descriptorOffset, descriptorBytes } = header;
    if (overlaps(fileOffset, end, descriptorOffset, descriptorOffset + descriptorBytes)) {
      throw corrupt(file.name, `has its ${what} at byte ${fileOffset}, inside the descriptor`);
    }
  }

  async #read(offset: number, length: number, options: CallOptions): Promise<Uint8Array> {
    const kept = this.#kept?.get(offset);
    if (kept?.length === length) return kept;
    const bytes = await this.file.read(offset, length, options);
    if (!this.#kept || this.#kept.has(offset)) return bytes;
    if (this.#budget.take(length)) {
      this.#kept.set(offset, bytes);
      this.#keptBytes += length;
    } else {
      this.#budget.giveBack(this.#keptBytes);
      this.#kept = undefined;
    }
    return bytes;
  }
}

export function overlaps(start: number, end: number, otherStart: number, otherEnd: number): boolean {
  return start < otherEnd && otherStart < end;
}

/**
 * A pointer past the end of the file means that the end is missing, unless it is so far out that no file of this disk reaches there: then the pointer
 * itself is wrong.
 */
export function requireInside(
  file: RangedFile,
  header: SparseHeader,
  what: string,
  offset: number,
  length: number,
): void {
  if (offset + length <= file.sizeBytes) return;
  const detail = `${file.name} has ${file.sizeBytes} bytes; its ${what} is at bytes ${offset} to ${offset + length}`;
  throw new ProblemError(offset < largestFile(header) ? 'DiskImageTruncated' : 'DiskImageCorrupt', detail, {
    context: { offset, length, fileBytes: file.sizeBytes },
  });
}

function largestFile(header: SparseHeader): number {
  const grains = header.tableCount * header.entriesPerTable;
  const tables = header.tableCount * (header.tableBytes + 4 + SECTOR_BYTES);
  return header.dataOffset + 2 * tables + grains * (header.grainBytes * (header.isCompressed ? 2 : 1) + SECTOR_BYTES);
}
