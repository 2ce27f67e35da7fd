import { ProblemError } from '../../domain/problems.ts';
import type { ByteReader } from '../byte-reader.ts';
import { corrupt, ENTRY_ZEROED, namesGrain, parseEntries, SECTOR_BYTES, type SparseHeader } from './layout.ts';

/** Tables kept while a stream passes; 64 MiB stand for 1 TiB in grains of 64 KiB. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** What is known of the grain tables while a file passes: compares them with the grains and tells which tables are complete. */
export interface ForwardTables {
  /** Tables without a grain, known to be so. */
  readonly emptyTables: Iterable<number>;
  /**
   * Told each grain as it passes. Returns its table when that is complete with it.
   * @throws ProblemError `DiskImageCorrupt` when a table says otherwise
   */
  see(grain: number, sector: number): number | undefined;
  /** Told each table that passes among the grains. Returns its index when it proves itself complete. */
  prove(entries: Uint32Array): number | undefined;
  /** Told that the file ends, with its end-of-stream marker or without. */
  finish(hasEndMarker: boolean, position: number): void;
}

/** @throws ProblemError `SourceRangesRequired` when tables in front of the data are too large to keep while the data passes */
export function requireKeepable({ tableCount, tableBytes }: SparseHeader, name: string): void {
  if (tableCount * tableBytes <= MAX_KEPT_BYTES) return;
  throw rangesRequired(name, `has ${tableCount} grain tables in front, more than are kept while it passes`);
}

/** Tables that lie in front of the data: they say exactly what must come. */
export class FrontTables implements ForwardTables {
  readonly #tables: ReadonlyMap<number, { readonly entries: Uint32Array; left: number }>;
  readonly #header: SparseHeader;
  readonly #name: string;
  #left = 0;

  private constructor(header: SparseHeader, name: string, tables: Map<number, { entries: Uint32Array; left: number }>) {
    this.#header = header;
    this.#name = name;
    this.#tables = tables;
    for (const { left } of tables.values()) this.#left += left;
  }

  /**
   * Reads directory and tables as they pass; `requireKeepable` says whether they fit.
   * @throws ProblemError `SourceRangesRequired` when they do not pass in this order before the data
   */
  static async read(reader: ByteReader, header: SparseHeader, directoryOffset: number, name: string) {
    await reader.skip(directoryOffset - reader.position);
    const directory = parseEntries(await reader.readExactly(header.tableCount * 4));
    const places = [...directory.entries()].filter(([, sector]) => sector > 0).sort(([, one], [, two]) => one - two);
    const tables = new Map<number, { entries: Uint32Array; left: number }>();
    for (const [index, sector] of places) {
      const start = sector * SECTOR_BYTES;
      if (start < reader.position || start + header.tableBytes > header.dataOffset) {
        throw rangesRequired(name, `has grain table ${index} at byte ${start}, not between its directory and the data`);
      }
      await reader.skip(start - reader.position);
      const entries = parseEntries(await reader.readExactly(header.tableBytes));
      tables.set(index, { entries, left: checkEntries(entries, index, header, name) });
    }
    return new FrontTables(header, name, tables);
  }

  get emptyTables(): Iterable<number> {
    return this.#tablesWithout();
  }

  see(grain: number, sector: number): number | undefined {
    const { entriesPerTable } = this.#header;
    const index = Math.floor(grain / entriesPerTable);
    const table = this.#tables.get(index);
    const said = table?.entries[grain % entriesPerTable] ?? 0;
    if (!table || said !== sector) {
      throw corrupt(this.#name, `has grain ${grain} at sector ${sector}; its grain table says ${said}`);
    }
    this.#left -= 1;
    table.left -= 1;
    return table.left === 0 ? index : undefined;
  }

  prove(): undefined {}

  finish(hasEndMarker: boolean, position: number): void {
    if (this.#left === 0) return;
    const detail = `${this.#name} ends at byte ${position} with ${this.#left} grains of its tables missing`;
    throw new ProblemError(hasEndMarker ? 'DiskImageCorrupt' : 'DiskImageTruncated', detail);
  }

  /** Grains by rising address. */
  *grains(): Generator<{ grain: number; sector: number }, void> {
    for (let index = 0; index < this.#header.tableCount; index += 1) {
      for (const [at, sector] of this.#tables.get(index)?.entries.entries() ?? []) {
        if (sector > ENTRY_ZEROED) yield { grain: index * this.#header.entriesPerTable + at, sector };
      }
    }
  }

  *#tablesWithout(): Generator<number, void> {
    for (let index = 0; index < this.#header.tableCount; index += 1) {
      if (!this.#tables.get(index)?.left) yield index;
    }
  }
}

/** Returns how many grains the table has. */
function checkEntries(entries: Uint32Array, index: number, header: SparseHeader, name: string): number {
  let grains = 0;
  for (const [at, sector] of entries.entries()) {
    const grain = index * header.entriesPerTable + at;
    if (!namesGrain(sector, grain, header, name)) continue;
    if (sector * SECTOR_BYTES < header.dataOffset) {
      throw corrupt(name, `has grain ${grain} at byte ${sector * SECTOR_BYTES}, among its own tables`);
    }
    if (grain * header.grainBytes >= header.capacityBytes) {
      throw corrupt(name, `has a grain for byte ${grain * header.grainBytes} of a disk of ${header.capacityBytes}`);
    }
    grains += 1;
  }
  return grains;
}

interface PendingTable {
  readonly sectors: Uint32Array;
  /** Index in `sectors` of the first grain seen. */
  lowest: number;
}

/** Tables that follow their grains in the stream, as VMware writes them. One that repeats exactly the grains seen proves that its part of the disk is complete. */
export class TrailingTables implements ForwardTables {
  readonly emptyTables: Iterable<number> = [];
  readonly #header: SparseHeader;
  readonly #name: string;
  readonly #pending = new Map<number, PendingTable>();
  /** A table does not say which one it is; the sector of its first grain does. */
  readonly #byFirstSector = new Map<number, number>();
  readonly #isProven: Uint8Array;

  constructor(header: SparseHeader, name: string) {
    this.#header = header;
    this.#name = name;
    this.#isProven = new Uint8Array(header.tableCount);
  }

  see(grain: number, sector: number): undefined {
    const { entriesPerTable, tableBytes } = this.#header;
    const index = Math.floor(grain / entriesPerTable);
    const at = grain % entriesPerTable;
    if (this.#isProven[index]) {
      throw corrupt(this.#name, `has grain ${grain} at sector ${sector}, after the table that left it out`);
    }
    let table = this.#pending.get(index);
    if (!table) {
      if (this.#pending.size * tableBytes >= MAX_KEPT_BYTES) {
        throw rangesRequired(this.#name, 'has its grain tables too far behind their grains to check them as they pass');
      }
      table = { sectors: new Uint32Array(entriesPerTable), lowest: entriesPerTable };
      this.#pending.set(index, table);
    }
    if (table.sectors[at]) {
      throw corrupt(this.#name, `has grain ${grain} twice, at sectors ${table.sectors[at]} and ${sector}`);
    }
    table.sectors[at] = sector;
    if (at < table.lowest) {
      this.#byFirstSector.delete(table.sectors[table.lowest] ?? 0);
      this.#byFirstSector.set(sector, index);
      table.lowest = at;
    }
  }

  prove(entries: Uint32Array): number | undefined {
    const first = entries.find((sector) => sector > ENTRY_ZEROED);
    if (first === undefined) return undefined;
    const index = this.#byFirstSector.get(first);
    const table = index === undefined ? undefined : this.#pending.get(index);
    const differs = entries.findIndex((sector, at) => (sector > ENTRY_ZEROED ? sector : 0) !== table?.sectors[at]);
    if (index === undefined || !table || differs >= 0) {
      const detail = `has a grain table that names a grain at sector ${entries[Math.max(0, differs)]}; there is none`;
      throw corrupt(this.#name, `${detail}, or its marker says otherwise`);
    }
    this.#pending.delete(index);
    this.#byFirstSector.delete(first);
    this.#isProven[index] = 1;
    return index;
  }

  finish(hasEndMarker: boolean, position: number): void {
    if (hasEndMarker) return;
    throw new ProblemError(
      'DiskImageTruncated',
      `${this.#name} ends at byte ${position} without an end-of-stream marker`,
    );
  }
}

export function rangesRequired(name: string, what: string): ProblemError {
  return new ProblemError('SourceRangesRequired', `${name} ${what}`);
}
