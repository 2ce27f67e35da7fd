import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { MAX_RANGE_BYTES } from '../../ports/disk-reader.ts';
import {
  allocatedSubclusters,
  parseL1Entry,
  parseL2Entry,
  type Qcow2Header,
  subclusterBytes,
  viewOf,
} from './layout.ts';
import { PageCache, type ReadAt } from './page-cache.ts';
import { PieceBatch } from './piece-batch.ts';

/** Entries looked at before a batch is handed on. */
const SLICE_ENTRIES = 4096;

export interface WalkOptions extends CallOptions {
  /** Is told the host cluster of each L1 part, L2 table and cluster, so that somebody can notice one that is used twice. */
  readonly onHostClusters?: (host: number, bytes: number, use: 'table' | 'plain' | 'compressed') => void;
}

/**
 * The L1 and L2 tables of an image, read as they are asked for. Every entry is checked: within the file, aligned, no reserved bit. Memory: the page cache and one
 * batch, whatever the size of the disk.
 */
export class Qcow2Tables {
  readonly header: Qcow2Header;
  readonly #cache: PageCache;
  readonly #fileBytes: number;
  readonly #name: string;

  /** @throws ProblemError `DiskImageCorrupt` when the L1 table does not lie in the file */
  constructor(options: { header: Qcow2Header; read: ReadAt; fileBytes: number; name: string }) {
    this.header = options.header;
    this.#cache = new PageCache(options.read, options.fileBytes);
    this.#fileBytes = options.fileBytes;
    this.#name = options.name;
    const { l1Offset, l1Entries } = this.header;
    this.#refuseOutside(l1Offset, l1Entries * 8, 'L1 table');
  }

  /** Yields the pieces of the disk in the disk's order. The batch is reused: it is valid until the next one is asked for. */
  async *batches(options: WalkOptions = {}): AsyncGenerator<PieceBatch, void> {
    const { l1Entries, l1Offset, clusterBytes, isExtendedL2 } = this.header;
    options.onHostClusters?.(0, clusterBytes, 'table');
    if (l1Entries > 0) options.onHostClusters?.(l1Offset, l1Entries * 8, 'table');
    const batch = new PieceBatch(SLICE_ENTRIES * (isExtendedL2 ? 17 : 2));
    for (let first = 0; first < l1Entries; first += SLICE_ENTRIES) {
      const count = Math.min(SLICE_ENTRIES, l1Entries - first);
      // A copy: the cache's page may go while the tables are walked.
      const entries = viewOf(Uint8Array.from(await this.#cache.read(l1Offset + first * 8, count * 8, options)));
      for (let index = 0; index < count; index += 1) {
        const table = this.#l2Table(first + index, entries, index * 8);
        if (table === 0) continue;
        options.signal?.throwIfAborted();
        options.onHostClusters?.(table, clusterBytes, 'table');
        yield* this.#batchesOfTable(first + index, table, batch, options);
      }
    }
  }

  /** Adds the pieces of at most SLICE_ENTRIES clusters from the one that holds `offset`, all of one table. Returns where the slice ends. */
  async lookUp(offset: number, clusters: number, batch: PieceBatch, options: CallOptions = {}): Promise<number> {
    const { bytesPerL2, clusterBytes, entriesPerL2, l1Offset } = this.header;
    const l1Index = Math.floor(offset / bytesPerL2);
    const first = Math.floor((offset % bytesPerL2) / clusterBytes);
    const count = Math.min(clusters, SLICE_ENTRIES, entriesPerL2 - first);
    const end = l1Index * bytesPerL2 + (first + count) * clusterBytes;
    const entry = viewOf(await this.#cache.read(l1Offset + l1Index * 8, 8, options));
    const table = this.#l2Table(l1Index, entry, 0);
    if (table !== 0) await this.#readSlice({ l1Index, table, first, count }, batch, options);
    return end;
  }

  async *#batchesOfTable(l1Index: number, table: number, batch: PieceBatch, options: WalkOptions) {
    const { entriesPerL2, virtualSizeBytes, bytesPerL2, clusterBytes } = this.header;
    const used = Math.min(entriesPerL2, Math.ceil((virtualSizeBytes - l1Index * bytesPerL2) / clusterBytes));
    for (let first = 0; first < used; first += SLICE_ENTRIES) {
      batch.count = 0;
      await this.#readSlice({ l1Index, table, first, count: Math.min(SLICE_ENTRIES, used - first) }, batch, options);
      if (batch.count > 0) yield batch;
    }
  }

  #l2Table(l1Index: number, entries: DataView, at: number): number {
    const table = parseL1Entry(entries, at);
    if (table === undefined) throw this.#corrupt(`L1 entry ${l1Index} has reserved bits set`);
    if (table === 0) return 0;
    if (table % this.header.clusterBytes !== 0)
      throw this.#corrupt(`L1 entry ${l1Index} points to ${table}: unaligned`);
    this.#refuseOutside(table, this.header.clusterBytes, `L2 table ${l1Index}`);
    return table;
  }

  async #readSlice(
    slice: { l1Index: number; table: number; first: number; count: number },
    batch: PieceBatch,
    options: WalkOptions,
  ): Promise<void> {
    const { l2EntryBytes, bytesPerL2, clusterBytes, virtualSizeBytes } = this.header;
    const from = slice.table + slice.first * l2EntryBytes;
    const view = viewOf(await this.#cache.read(from, slice.count * l2EntryBytes, options));
    for (let index = 0; index < slice.count; index += 1) {
      const at = index * l2EntryBytes;
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      const offset = slice.l1Index * bytesPerL2 + (slice.first + index) * clusterBytes;
      if (offset >= virtualSizeBytes) break;
      if (this.header.isExtendedL2) {
        this.#addEntry(batch, offset, high, low, options, [view.getUint32(at + 8), view.getUint32(at + 12)]);
      } else if (high !== 0 || low !== 0) {
        this.#addEntry(batch, offset, high, low, options);
      }
    }
  }

  #addEntry(
    batch: PieceBatch,
    offset: number,
    high: number,
    low: number,
    options: WalkOptions,
    bitmap?: readonly [zero: number, allocated: number],
  ): void {
    const { clusterBytes, virtualSizeBytes } = this.header;
    const entry = parseL2Entry(this.header, high, low);
    if (entry === undefined) throw this.#corrupt(`L2 entry of disk offset ${offset} is unaligned or has reserved bits`);
    const length = Math.min(clusterBytes, virtualSizeBytes - offset);
    if (entry.kind === 'compressed') {
      if (entry.host >= this.#fileBytes) throw this.#outside(`compressed cluster of disk offset ${offset}`, entry.host);
      // QEMU writes the last compressed cluster without padding it to a whole sector.
      const hostBytes = Math.min(entry.hostBytes, this.#fileBytes - entry.host);
      options.onHostClusters?.(entry.host, hostBytes, 'compressed');
      batch.add(offset, length, entry.host, hostBytes);
      return;
    }
    const host = entry.kind === 'hole' ? 0 : entry.host;
    if (host !== 0) {
      if (host >= this.#fileBytes) throw this.#outside(`cluster of disk offset ${offset}`, host);
      options.onHostClusters?.(host, clusterBytes, 'plain');
    }
    if (bitmap !== undefined) this.#addSubclusters(batch, offset, host, length, bitmap);
    else if (entry.kind === 'plain') this.#addPlain(batch, offset, host, length);
  }

  #addSubclusters(
    batch: PieceBatch,
    offset: number,
    host: number,
    length: number,
    [zero, allocated]: readonly [number, number],
  ): void {
    const runs = allocatedSubclusters(zero, allocated);
    if (runs === undefined || (host === 0 && runs.length > 0)) {
      throw this.#corrupt(`the subclusters of disk offset ${offset} contradict each other`);
    }
    const unit = subclusterBytes(this.header);
    for (const { first, count } of runs) {
      const from = first * unit;
      const bytes = Math.min(count * unit, length - from);
      if (bytes > 0) this.#addPlain(batch, offset + from, host + from, bytes);
    }
  }

  /** Cut where the disk passes a multiple of MAX_RANGE_BYTES, so that no piece is longer and none lies in two leaves. */
  #addPlain(batch: PieceBatch, offset: number, host: number, length: number): void {
    // QEMU leaves out only what lies beyond the end of the disk, so anything else that is missing was lost.
    if (host + length > this.#fileBytes) {
      throw new ProblemError(
        'DiskImageTruncated',
        `${this.#name} has ${this.#fileBytes} bytes; the cluster of disk offset ${offset} reaches to ${host + length}`,
        { context: { offset, fileOffset: host } },
      );
    }
    for (let done = 0; done < length; ) {
      const at = offset + done;
      const bytes = Math.min(length - done, MAX_RANGE_BYTES - (at % MAX_RANGE_BYTES));
      batch.addPlain(at, bytes, host + done, MAX_RANGE_BYTES);
      done += bytes;
    }
  }

  #refuseOutside(host: number, bytes: number, what: string): void {
    if (host + bytes > this.#fileBytes) throw this.#outside(what, host);
  }

  #outside(what: string, host: number): ProblemError {
    return this.#corrupt(`${what} is said to lie at ${host}; the file has ${this.#fileBytes} bytes`);
  }

  #corrupt(what: string): ProblemError {
    return new ProblemError('DiskImageCorrupt', `${this.#name}: ${what}`);
  }
}
