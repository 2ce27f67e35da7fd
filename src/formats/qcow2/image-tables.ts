import { createHash } from 'node:crypto';
import { ProblemError } from '../../domain/problems.ts';
import type { StorageFile } from '../../ports/storage.ts';
import { CLUSTER_BYTES, CLUSTERS_PER_TABLE, type ClusterMap, type Place, SECTORS_PER_CLUSTER } from './cluster-map.ts';
import { QCOW2_MAGIC, viewOf } from './layout.ts';

const HEADER_BYTES = 112;
/** Flag of an entry, in its upper half: the refcount of what it points to is one. */
export const COPIED = 0x8000_0000;
const COMPRESSED = 0x4000_0000;
/** Refcounts of 16 bits. */
const REFCOUNT_ORDER = 4;
export const REFCOUNTS_PER_BLOCK = CLUSTER_BYTES / 2;
export const ENTRIES_PER_CLUSTER = CLUSTER_BYTES / 8;
/** Tables put together into one write. */
const WRITE_CLUSTERS = 16;

/** Places of the tables behind the data, in clusters. */
interface TablePlan {
  readonly l2Start: number;
  readonly l1Start: number;
  readonly l1Entries: number;
  readonly refcountTableStart: number;
  readonly refcountTableClusters: number;
  readonly refcountBlockStart: number;
  readonly refcountBlocks: number;
  readonly endCluster: number;
}

/** Refcount blocks count themselves and their table, so that their number is found by trying. */
export function planTables(dataEnd: number, l2Tables: number, l1Entries: number): TablePlan {
  const l1Start = dataEnd + l2Tables;
  const refcountTableStart = l1Start + Math.ceil(l1Entries / ENTRIES_PER_CLUSTER);
  let refcountBlocks = 1;
  while (true) {
    const refcountTableClusters = Math.ceil(refcountBlocks / ENTRIES_PER_CLUSTER);
    const refcountBlockStart = refcountTableStart + refcountTableClusters;
    const endCluster = refcountBlockStart + refcountBlocks;
    const needed = Math.ceil(endCluster / REFCOUNTS_PER_BLOCK);
    if (needed <= refcountBlocks) {
      return {
        l2Start: dataEnd,
        l1Start,
        l1Entries,
        refcountTableStart,
        refcountTableClusters,
        refcountBlockStart,
        refcountBlocks,
        endCluster,
      };
    }
    refcountBlocks = needed;
  }
}

/**
 * Writes L2 tables, L1 table and refcounts behind the data and cuts the file there. The header is written and made durable after all else, so that a file without its
 * tables never opens. Running it again gives the same file. Memory: two bytes per cluster of the file, 1 MiB of tables.
 * @throws ProblemError `CheckpointUnusable` when the map uses one place twice, and the problems of the storage
 */
export async function writeTables(
  image: StorageFile,
  options: { map: ClusterMap; dataEndCluster: number; virtualSizeBytes: number },
): Promise<void> {
  const { map, dataEndCluster, virtualSizeBytes } = options;
  // QEMU wants an L1 table that exists, also for a disk of no bytes.
  const l1Entries = Math.max(1, Math.ceil(virtualSizeBytes / (CLUSTERS_PER_TABLE * CLUSTER_BYTES)));
  let l2Tables = 0;
  for (const _table of map.tables()) l2Tables += 1;
  const plan = planTables(dataEndCluster, l2Tables, l1Entries);
  const refcounts = new Uint16Array(plan.refcountBlocks * REFCOUNTS_PER_BLOCK);
  const out = new ClusterRun(image);

  const l1 = Buffer.alloc((plan.refcountTableStart - plan.l1Start) * CLUSTER_BYTES);
  let tableCluster = plan.l2Start;
  let hasPacked = false;
  for (const { index, places } of map.tables()) {
    const table = Buffer.alloc(CLUSTER_BYTES);
    for (const [entry, place] of places) {
      countUse(refcounts, place, dataEndCluster, image.name);
      writeL2Entry(table, entry * 8, place);
      hasPacked ||= place.packedSectors > 0;
    }
    writeOffset(l1, index * 8, tableCluster * CLUSTER_BYTES, COPIED);
    await out.add(tableCluster, table);
    tableCluster += 1;
  }
  await out.add(plan.l1Start, l1);

  refcounts[0] = 1;
  refcounts.fill(1, plan.l2Start, plan.endCluster);
  const refcountTable = Buffer.alloc(plan.refcountTableClusters * CLUSTER_BYTES);
  for (let block = 0; block < plan.refcountBlocks; block += 1) {
    writeOffset(refcountTable, block * 8, (plan.refcountBlockStart + block) * CLUSTER_BYTES, 0);
  }
  await out.add(plan.refcountTableStart, refcountTable);
  for (let block = 0; block < plan.refcountBlocks; block += 1) {
    await out.add(plan.refcountBlockStart + block, encodeRefcounts(refcounts, block));
  }
  await out.flush();
  await image.truncate(plan.endCluster * CLUSTER_BYTES);
  await image.sync();
  await refuseOtherTables(image, plan, out.digest());
  await image.write(0, encodeHeader({ virtualSizeBytes, plan, hasPacked }));
  await image.sync();
}

/** Reading a disk back goes through L1 and L2 tables and would never notice wrong refcounts, by which a guest that writes would overwrite its own data. */
async function refuseOtherTables(image: StorageFile, plan: TablePlan, expected: string): Promise<void> {
  const { l2Start, endCluster } = plan;
  const actual = createHash('sha256');
  const buffer = Buffer.alloc(WRITE_CLUSTERS * CLUSTER_BYTES);
  for (let cluster = l2Start; cluster < endCluster; cluster += WRITE_CLUSTERS) {
    const clusters = Math.min(WRITE_CLUSTERS, endCluster - cluster);
    const part = buffer.subarray(0, clusters * CLUSTER_BYTES);
    part.fill(0, await image.read(cluster * CLUSTER_BYTES, part));
    actual.update(part);
  }
  if (actual.digest('hex') === expected) return;
  throw new ProblemError(
    'VerificationFailed',
    `${image.name} does not hold the tables that were written, at bytes ${l2Start * CLUSTER_BYTES} to ${endCluster * CLUSTER_BYTES - 1}`,
  );
}

function countUse(refcounts: Uint16Array, { position, packedSectors }: Place, end: number, name: string): void {
  const first = Math.floor(position / SECTORS_PER_CLUSTER);
  const last = Math.floor((position + Math.max(1, packedSectors) - 1) / SECTORS_PER_CLUSTER);
  for (let cluster = first; cluster <= last; cluster += 1) {
    const before = refcounts[cluster] ?? 0;
    if (cluster >= end || (packedSectors === 0 && before > 0) || before > SECTORS_PER_CLUSTER) {
      throw new ProblemError('CheckpointUnusable', `the journal of ${name} puts two parts of the disk into one place`);
    }
    refcounts[cluster] = before + 1;
  }
}

function writeL2Entry(table: Buffer, at: number, { position, packedSectors }: Place): void {
  const offset = position * 512;
  if (packedSectors === 0) writeOffset(table, at, offset, COPIED);
  // With clusters of 64 KiB: 54 bits of offset, then 8 bits of sectors behind the first one.
  else writeOffset(table, at, offset, COMPRESSED + (packedSectors - 1) * 2 ** 22);
}

/** An entry of a table: a place in the file, below flags in its upper bits. */
export function writeOffset(bytes: Buffer, at: number, offset: number, highBits: number): void {
  bytes.writeUInt32BE(Math.floor(offset / 2 ** 32) + highBits, at);
  bytes.writeUInt32BE(offset % 2 ** 32, at + 4);
}

function encodeRefcounts(refcounts: Uint16Array, block: number): Buffer {
  const bytes = Buffer.alloc(CLUSTER_BYTES);
  const part = refcounts.subarray(block * REFCOUNTS_PER_BLOCK, (block + 1) * REFCOUNTS_PER_BLOCK);
  for (const [index, count] of part.entries()) if (count > 0) bytes.writeUInt16BE(count, index * 2);
  return bytes;
}

/** The file's first sector. */
export function encodeHeader(facts: {
  virtualSizeBytes: number;
  plan: Pick<TablePlan, 'l1Start' | 'l1Entries' | 'refcountTableStart' | 'refcountTableClusters'>;
  hasPacked: boolean;
}): Buffer {
  const { virtualSizeBytes, plan, hasPacked } = facts;
  // Behind the header an extension of type 0 and length 0 ends the list of extensions; the rest of the sector is zero too.
  const bytes = Buffer.alloc(512);
  const view = viewOf(bytes);
  view.setUint32(0, QCOW2_MAGIC);
  view.setUint32(4, 3);
  view.setUint32(20, Math.log2(CLUSTER_BYTES));
  view.setBigUint64(24, BigInt(qcow2VirtualSize(virtualSizeBytes)));
  view.setUint32(36, plan.l1Entries);
  view.setBigUint64(40, BigInt(plan.l1Start * CLUSTER_BYTES));
  view.setBigUint64(48, BigInt(plan.refcountTableStart * CLUSTER_BYTES));
  view.setUint32(56, plan.refcountTableClusters);
  // Incompatible feature bit 3: compression_type is not zlib.
  view.setBigUint64(72, hasPacked ? 8n : 0n);
  view.setUint32(96, REFCOUNT_ORDER);
  view.setUint32(100, HEADER_BYTES);
  view.setUint8(104, hasPacked ? 1 : 0);
  return bytes;
}

/** QEMU counts a disk in sectors and drops what is left over, so a disk of another size gets a last sector filled up with zeroes, as `qemu-img convert` does. */
export function qcow2VirtualSize(virtualSizeBytes: number): number {
  return Math.ceil(virtualSizeBytes / 512) * 512;
}

/** Puts neighbouring clusters together into writes of 1 MiB, and hashes them in the order in which they come. */
class ClusterRun {
  readonly #image: StorageFile;
  #start = 0;
  #parts: Buffer[] = [];
  #clusters = 0;
  readonly #hash = createHash('sha256');

  constructor(image: StorageFile) {
    this.#image = image;
  }

  async add(cluster: number, bytes: Buffer): Promise<void> {
    if (cluster !== this.#start + this.#clusters || this.#clusters >= WRITE_CLUSTERS) {
      await this.flush();
      this.#start = cluster;
    }
    this.#parts.push(bytes);
    this.#hash.update(bytes);
    this.#clusters += bytes.length / CLUSTER_BYTES;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  async flush(): Promise<void> {
    if (this.#parts.length === 0) return;
    await this.#image.write(this.#start * CLUSTER_BYTES, Buffer.concat(this.#parts));
    this.#start += this.#clusters;
    this.#parts = [];
    this.#clusters = 0;
  }
}
