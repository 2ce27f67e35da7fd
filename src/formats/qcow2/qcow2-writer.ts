import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { LEAF_BYTES, leafCount, MAX_VIRTUAL_SIZE_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { LanePlace, LaneTarget } from '../../ports/lane.ts';
import type { StorageFile } from '../../ports/storage.ts';
import { decodePiece } from '../decode-piece.ts';
import { storageImageFile } from '../storage-image-file.ts';
import { CLUSTER_BYTES, ClusterMap, SECTOR_BYTES } from './cluster-map.ts';
import { HostSpace } from './host-space.ts';
import { writeTables } from './image-tables.ts';
import { Journal } from './journal.ts';
import { type Compression, type LeafRecord, recordsOf } from './journal-record.ts';
import { openWrittenQcow2 } from './open-written-qcow2.ts';
import {
  type PlacedCluster,
  packedSectorsOf,
  refuseStrayBlocks,
  storedForm,
  wholeBlocksOf,
  writesOf,
} from './placed-clusters.ts';
import { openQcow2Image, type Qcow2Image } from './qcow2-image.ts';

const compress = promisify(zstdCompress);

export interface Qcow2WriterOptions {
  readonly image: StorageFile;
  /** Lies beside the image until that is finished; whoever keeps the finished image removes it. */
  readonly journal: StorageFile;
  readonly virtualSizeBytes: number;
  readonly compression: Compression;
}

/**
 * Writes a qcow2 (version 3, clusters of 64 KiB, sparse). While it is written the file has data only: what is durable of it stands in the journal (ruling 4), from which
 * a later run continues, and `finish` makes the tables. Leaves of an earlier run that are not in the journal are as if never written.
 * Memory: 6 bytes per cluster, in parts of 512 MiB of disk; 2 bytes more per cluster of the file in `finish`. Disposing the writer disposes both files.
 * @throws ProblemError `CheckpointUnusable` when the journal belongs to another disk or image, `DiskTooLarge`, and the problems of the storage
 */
export async function openQcow2Writer(options: Qcow2WriterOptions): Promise<DiskWriter> {
  const { image, journal, virtualSizeBytes } = options;
  try {
    if (virtualSizeBytes > MAX_VIRTUAL_SIZE_BYTES) {
      throw new ProblemError('DiskTooLarge', `${image.name} would have ${virtualSizeBytes} bytes`);
    }
    return await openParts(options);
  } catch (error) {
    await using stack = new AsyncDisposableStack();
    stack.use(image);
    stack.use(journal);
    throw error;
  }
}

async function openParts(options: Qcow2WriterOptions): Promise<DiskWriter> {
  const { image, virtualSizeBytes } = options;
  const map = new ClusterMap();
  const isRecorded = new Uint8Array(leafCount(virtualSizeBytes));
  const clusters = Math.ceil(virtualSizeBytes / CLUSTER_BYTES);
  const take = (record: LeafRecord) => {
    if (!adoptRecord(record, map, isRecorded, clusters)) {
      throw new ProblemError('CheckpointUnusable', `${options.journal.name} has a record beyond the end of the disk`);
    }
  };
  const { journal, isNew } = await Journal.open(options.journal, options, take);
  const endSector = map.endSector();
  await prepareImage(image, isNew ? 0 : endSector * SECTOR_BYTES);
  return new Qcow2Writer(options, { map, isRecorded, journal, space: HostSpace.behind(endSector) });
}

function adoptRecord(record: LeafRecord, map: ClusterMap, isRecorded: Uint8Array, clusters: number): boolean {
  const { first, count, places } = record;
  if (first + count > isRecorded.length) return false;
  map.clearLeaves(first, count);
  isRecorded.fill(1, first, first + count);
  for (const [index, place] of (places ?? []).entries()) {
    const cluster = (first * LEAF_BYTES) / CLUSTER_BYTES + index;
    if (place === undefined) continue;
    if (cluster >= clusters) return false;
    map.set(cluster, place);
  }
  return true;
}

/** Takes a finished image's header away before anything else changes, so that an image whose tables are overwritten never opens, and cuts off what was not recorded. */
async function prepareImage(image: StorageFile, dataBytes: number): Promise<void> {
  const sizeBytes = await image.sizeBytes();
  if (sizeBytes < dataBytes) {
    throw new ProblemError(
      'CheckpointUnusable',
      `${image.name} has ${sizeBytes} bytes; its journal tells of ${dataBytes}`,
    );
  }
  const head = Buffer.alloc(SECTOR_BYTES);
  if ((await image.read(0, head)) > 0 && head.some((byte) => byte !== 0)) {
    await image.write(0, Buffer.alloc(SECTOR_BYTES));
    await image.sync();
  }
  if (sizeBytes > dataBytes) await image.truncate(dataBytes);
}

interface LeafRun {
  first: number;
  count: number;
  readonly digest: Uint8Array;
}

class Qcow2Writer implements DiskWriter {
  readonly virtualSizeBytes: number;
  readonly isKnownZero = true;
  readonly laneTarget: LaneTarget | undefined;
  readonly #image: StorageFile;
  readonly #journalFile: StorageFile;
  readonly #journal: Journal;
  readonly #compression: Compression;
  readonly #map: ClusterMap;
  readonly #space: HostSpace;
  /** 1 for a leaf that the journal has, or may have: its clusters are never overwritten. */
  readonly #isRecorded: Uint8Array;
  #pending: LeafRun[] = [];
  #failure: { readonly error: unknown } | undefined;
  #finished: Qcow2Image | undefined;

  constructor(
    options: Qcow2WriterOptions,
    state: { map: ClusterMap; isRecorded: Uint8Array; journal: Journal; space: HostSpace },
  ) {
    this.virtualSizeBytes = options.virtualSizeBytes;
    this.#image = options.image;
    this.#journalFile = options.journal;
    this.#compression = options.compression;
    this.#map = state.map;
    this.#isRecorded = state.isRecorded;
    this.#journal = state.journal;
    this.#space = state.space;
    const { path, name } = options.image;
    const { nextCluster } = state.space;
    this.laneTarget =
      path === undefined ? undefined : { qcow2: { path, name, compression: options.compression, nextCluster } };
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    refuseStrayBlocks(offset, bytes, this.virtualSizeBytes);
    this.#refuseWhenFinished();
    this.#refuseAfterFailure();
    try {
      const blocks = await Promise.all(wholeBlocksOf(bytes).map((block) => this.#pack(block)));
      const placed = blocks.map((block, index) => this.#place(offset / CLUSTER_BYTES + index, block));
      for (const write of writesOf(placed)) await this.#image.write(write.position * SECTOR_BYTES, write.bytes);
      for (const { cluster, position, packedSectors } of placed) this.#map.set(cluster, { position, packedSectors });
    } catch (error) {
      // This cluster is lost to this writer; leaves recorded before it are whole and may still be flushed.
      this.#failure = { error };
      throw error;
    }
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    if (offset + into.length > this.virtualSizeBytes) {
      throw new RangeError(`${into.length} bytes at ${offset} leave the disk of ${this.virtualSizeBytes}`);
    }
    if (this.#finished !== undefined) return await this.#finished.read(offset, into);
    const end = offset + into.length;
    for (let at = offset; at < end; ) {
      const cluster = Math.floor(at / CLUSTER_BYTES);
      const partEnd = Math.min((cluster + 1) * CLUSTER_BYTES, end);
      await this.#readPart(cluster, at % CLUSTER_BYTES, into.subarray(at - offset, partEnd - offset));
      at = partEnd;
    }
  }

  adoptPlaces(places: readonly LanePlace[]): void {
    this.#refuseWhenFinished();
    for (const { block, position, packedSectors } of places) this.#map.set(block, { position, packedSectors });
  }

  recordLeaf(leaf: number, digest: Uint8Array): void {
    const last = this.#pending.at(-1);
    const continues = last !== undefined && last.first + last.count === leaf;
    if (continues && Buffer.compare(last.digest, digest) === 0) last.count += 1;
    else this.#pending.push({ first: leaf, count: 1, digest: Uint8Array.from(digest) });
  }

  hasLeaf(leaf: number): boolean {
    return this.#isRecorded[leaf] === 1;
  }

  async flush(): Promise<void> {
    const runs = this.#pending;
    this.#pending = [];
    const records = runs.flatMap((run) => [...recordsOf(this.#map, run)]);
    for (const { first, count } of runs) this.#isRecorded.fill(1, first, first + count);
    try {
      // In this order: a record must never be there without its data.
      await this.#image.sync();
      await this.#journal.append(records);
    } catch (error) {
      this.#pending = [...runs, ...this.#pending];
      throw error;
    }
  }

  async finish(): Promise<void> {
    if (this.#finished !== undefined) return;
    this.#refuseAfterFailure();
    await this.flush();
    await writeTables(this.#image, {
      map: this.#map,
      dataEndCluster: this.#space.endCluster,
      virtualSizeBytes: this.virtualSizeBytes,
    });
    this.#finished = await openQcow2Image(this.#image);
  }

  async openWritten(): Promise<DiskReader> {
    return await openWrittenQcow2(await storageImageFile(this.#image), this.virtualSizeBytes);
  }

  async allocatedBytes(): Promise<number> {
    return await this.#image.allocatedBytes();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#image);
    stack.use(this.#journalFile);
  }

  #refuseWhenFinished(): void {
    if (this.#finished !== undefined) throw new Error('the image is finished');
  }

  #refuseAfterFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #pack(block: Uint8Array): Promise<Uint8Array> {
    return this.#compression === 'none' ? block : storedForm(block, await compress(block));
  }

  /**
   * Where a block goes: into its old cluster while no record tells of that, otherwise to a new one. A crash between overwriting and the next record would leave the old
   * record with new data.
   */
  #place(cluster: number, bytes: Uint8Array): PlacedCluster {
    const packedSectors = packedSectorsOf(bytes);
    if (packedSectors > 0) return { cluster, bytes, position: this.#space.takeSectors(packedSectors), packedSectors };
    const before = this.#map.get(cluster);
    const leaf = Math.floor((cluster * CLUSTER_BYTES) / LEAF_BYTES);
    const isFree = before?.packedSectors === 0 && !this.hasLeaf(leaf);
    return { cluster, bytes, position: isFree ? before.position : this.#space.takeClusters(1), packedSectors };
  }

  async #readPart(cluster: number, skip: number, into: Uint8Array): Promise<void> {
    const place = this.#map.get(cluster);
    if (place === undefined) {
      into.fill(0);
      return;
    }
    const fileOffset = place.position * SECTOR_BYTES;
    if (place.packedSectors === 0) {
      await this.#readExactly(fileOffset + skip, into);
      return;
    }
    const encoded = new Uint8Array(place.packedSectors * SECTOR_BYTES);
    await this.#readExactly(fileOffset, encoded);
    const whole = new Uint8Array(CLUSTER_BYTES);
    const at = { offset: cluster * CLUSTER_BYTES, length: CLUSTER_BYTES, fileOffset, fileBytes: encoded.length };
    decodePiece({ ...at, encoding: 'zstd' }, encoded, whole);
    into.set(whole.subarray(skip, skip + into.length));
  }

  async #readExactly(fileOffset: number, into: Uint8Array): Promise<void> {
    const bytes = await this.#image.read(fileOffset, into);
    if (bytes === into.length) return;
    throw new ProblemError('TargetReadFailed', `${this.#image.name} ends at byte ${fileOffset + bytes}`);
  }
}
