import type { AllocatedClusters, TableClusters } from './allocated-clusters.ts';
import { CLUSTER_BYTES, CLUSTERS_PER_TABLE } from './cluster-map.ts';
import { COPIED, ENTRIES_PER_CLUSTER, encodeHeader, REFCOUNTS_PER_BLOCK, writeOffset } from './image-tables.ts';

/** What a cluster of the file is. Data: `guestCluster` is the cluster of the disk that lies there. */
export type VirtualCluster =
  | { readonly kind: 'table'; readonly bytes: Uint8Array }
  | { readonly kind: 'data'; readonly guestCluster: number };

/**
 * A qcow2 (version 3, clusters of 64 KiB) of a disk whose allocation is known, laid out before a byte of it is read. Tables come first, then the data in the disk's order:
 *
 *     header | refcount table | refcount blocks | L1 | L2 of each 512 MiB with data | data clusters
 *
 * The same size and allocation always give the same file. Every cluster of the file is in use once, so refcounts follow from the file's length. Tables are made when they are asked
 * for. Memory: the allocation, and 16 bytes for every 512 MiB with data.
 */
export class VirtualLayout {
  /** A multiple of 64 KiB. */
  readonly fileBytes: number;
  /** Everything before it is tables. */
  readonly dataStart: number;
  readonly dataClusters: number;
  readonly #virtualSizeBytes: number;
  readonly #tables: readonly TableClusters[];
  /** How many data clusters lie before those of each table. */
  readonly #ranks: Float64Array;
  readonly #plan: Plan;

  constructor(allocated: AllocatedClusters) {
    this.#virtualSizeBytes = allocated.virtualSizeBytes;
    this.#tables = allocated.tables();
    this.#ranks = new Float64Array(this.#tables.length);
    let rank = 0;
    for (const [at, { bits }] of this.#tables.entries()) {
      this.#ranks[at] = rank;
      rank += countBits(bits);
    }
    this.dataClusters = rank;
    this.#plan = planClusters(this.#virtualSizeBytes, this.#tables.length, rank);
    this.fileBytes = this.#plan.endCluster * CLUSTER_BYTES;
    this.dataStart = this.#plan.dataStart * CLUSTER_BYTES;
  }

  /** @param cluster of the file */
  clusterAt(cluster: number): VirtualCluster {
    const { refcountTableStart, refcountBlockStart, l1Start, l2Start, dataStart, endCluster } = this.#plan;
    if (cluster < 0 || cluster >= endCluster) throw new RangeError(`the file has no cluster ${cluster}`);
    if (cluster >= dataStart) return { kind: 'data', guestCluster: this.#guestCluster(cluster - dataStart) };
    if (cluster >= l2Start) return table(this.#l2Table(cluster - l2Start));
    if (cluster >= l1Start) return table(this.#l1Part(cluster - l1Start));
    if (cluster >= refcountBlockStart) return table(this.#refcountBlock(cluster - refcountBlockStart));
    if (cluster >= refcountTableStart) return table(this.#refcountTable(cluster - refcountTableStart));
    return table(this.#header());
  }

  #header(): Buffer {
    const bytes = Buffer.alloc(CLUSTER_BYTES);
    encodeHeader({ virtualSizeBytes: this.#virtualSizeBytes, plan: this.#plan, hasPacked: false }).copy(bytes);
    return bytes;
  }

  #refcountTable(part: number): Buffer {
    const { refcountBlocks, refcountBlockStart } = this.#plan;
    const bytes = Buffer.alloc(CLUSTER_BYTES);
    const first = part * ENTRIES_PER_CLUSTER;
    for (let block = first; block < Math.min(refcountBlocks, first + ENTRIES_PER_CLUSTER); block += 1)
      writeOffset(bytes, (block - first) * 8, (refcountBlockStart + block) * CLUSTER_BYTES, 0);
    return bytes;
  }

  #refcountBlock(block: number): Buffer {
    const bytes = Buffer.alloc(CLUSTER_BYTES);
    const used = Math.min(REFCOUNTS_PER_BLOCK, this.#plan.endCluster - block * REFCOUNTS_PER_BLOCK);
    for (let at = 0; at < used; at += 1) bytes.writeUInt16BE(1, at * 2);
    return bytes;
  }

  #l1Part(part: number): Buffer {
    const bytes = Buffer.alloc(CLUSTER_BYTES);
    const first = part * ENTRIES_PER_CLUSTER;
    for (let at = this.#firstTable(first); at < this.#tables.length; at += 1) {
      const index = this.#tables[at]?.index ?? 0;
      if (index >= first + ENTRIES_PER_CLUSTER) break;
      writeOffset(bytes, (index - first) * 8, (this.#plan.l2Start + at) * CLUSTER_BYTES, COPIED);
    }
    return bytes;
  }

  #l2Table(at: number): Buffer {
    const bytes = Buffer.alloc(CLUSTER_BYTES);
    let cluster = this.#plan.dataStart + (this.#ranks[at] ?? 0);
    for (const [place, byte] of this.#tables[at]?.bits.entries() ?? []) {
      for (let bit = 0; byte >> bit !== 0; bit += 1) {
        if (((byte >> bit) & 1) === 0) continue;
        writeOffset(bytes, (place * 8 + bit) * 8, cluster * CLUSTER_BYTES, COPIED);
        cluster += 1;
      }
    }
    return bytes;
  }

  /** The cluster of the disk that holds data and has `rank` such clusters before it. */
  #guestCluster(rank: number): number {
    let low = 0;
    let high = this.#ranks.length;
    // The last table that does not begin behind it.
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#ranks[middle] ?? 0) <= rank) low = middle;
      else high = middle;
    }
    const { index = 0, bits = new Uint8Array(0) } = this.#tables[low] ?? {};
    return index * CLUSTERS_PER_TABLE + selectBit(bits, rank - (this.#ranks[low] ?? 0));
  }

  /** The first table with at least this index. */
  #firstTable(index: number): number {
    let low = 0;
    let high = this.#tables.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#tables[middle]?.index ?? 0) < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Where everything begins, in clusters of the file. */
interface Plan {
  readonly refcountTableStart: number;
  readonly refcountTableClusters: number;
  readonly refcountBlockStart: number;
  readonly refcountBlocks: number;
  readonly l1Start: number;
  readonly l1Entries: number;
  readonly l2Start: number;
  readonly dataStart: number;
  readonly endCluster: number;
}

/** Refcount blocks count themselves and their table, so that their number is found by trying. */
function planClusters(virtualSizeBytes: number, l2Tables: number, dataClusters: number): Plan {
  // QEMU wants an L1 table that exists, also for a disk of no bytes.
  const l1Entries = Math.max(1, Math.ceil(virtualSizeBytes / (CLUSTERS_PER_TABLE * CLUSTER_BYTES)));
  const refcountTableStart = 1;
  for (let refcountBlocks = 1; ; ) {
    const refcountTableClusters = Math.ceil(refcountBlocks / ENTRIES_PER_CLUSTER);
    const refcountBlockStart = refcountTableStart + refcountTableClusters;
    const l1Start = refcountBlockStart + refcountBlocks;
    const l2Start = l1Start + Math.ceil(l1Entries / ENTRIES_PER_CLUSTER);
    const dataStart = l2Start + l2Tables;
    const endCluster = dataStart + dataClusters;
    const needed = Math.ceil(endCluster / REFCOUNTS_PER_BLOCK);
    if (needed <= refcountBlocks)
      return {
        refcountTableStart,
        refcountTableClusters,
        refcountBlockStart,
        refcountBlocks,
        l1Start,
        l1Entries,
        l2Start,
        dataStart,
        endCluster,
      };
    refcountBlocks = needed;
  }
}

function table(bytes: Uint8Array): VirtualCluster {
  return { kind: 'table', bytes };
}

const BITS_OF = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest !== 0; rest >>= 1) count += rest & 1;
  return count;
});

function countBits(bits: Uint8Array): number {
  let count = 0;
  for (const byte of bits) count += BITS_OF[byte] ?? 0;
  return count;
}

/** The place of the set bit that has `rank` set bits before it. */
function selectBit(bits: Uint8Array, rank: number): number {
  let left = rank;
  for (const [at, byte] of bits.entries()) {
    const count = BITS_OF[byte] ?? 0;
    if (left >= count) {
      left -= count;
      continue;
    }
    for (let bit = 0; ; bit += 1) {
      if (((byte >> bit) & 1) === 0) continue;
      if (left === 0) return at * 8 + bit;
      left -= 1;
    }
  }
  throw new RangeError(`fewer than ${rank + 1} clusters hold data`);
}
