import { CLUSTER_BYTES, CLUSTERS_PER_TABLE } from './cluster-map.ts';

const BITMAP_BYTES = CLUSTERS_PER_TABLE / 8;

/** The clusters that one L2 table maps. */
export interface TableClusters {
  /** Of the table, among all that the disk could have. */
  readonly index: number;
  /** A bit a cluster, the lowest first. */
  readonly bits: Uint8Array;
}

/** Which clusters of a disk hold data. Memory: 1 KiB for every 512 MiB of the disk that hold any, so 2 MiB for a full TiB. */
export class AllocatedClusters {
  readonly virtualSizeBytes: number;
  readonly #bitmaps = new Map<number, Uint8Array>();
  #count = 0;

  constructor(virtualSizeBytes: number) {
    this.virtualSizeBytes = virtualSizeBytes;
  }

  /** How many hold data. */
  get count(): number {
    return this.#count;
  }

  /** Marks every cluster that the run touches. @throws RangeError for a run that leaves the disk */
  add(offset: number, length: number): void {
    if (length === 0) return;
    if (offset < 0 || length < 0 || offset + length > this.virtualSizeBytes)
      throw new RangeError(`${length} bytes at ${offset} leave the disk of ${this.virtualSizeBytes}`);
    const last = Math.floor((offset + length - 1) / CLUSTER_BYTES);
    for (let cluster = Math.floor(offset / CLUSTER_BYTES); cluster <= last; cluster += 1) this.#mark(cluster);
  }

  has(cluster: number): boolean {
    const bits = this.#bitmaps.get(Math.floor(cluster / CLUSTERS_PER_TABLE));
    const at = cluster % CLUSTERS_PER_TABLE;
    return bits !== undefined && (((bits[at >> 3] ?? 0) >> (at & 7)) & 1) === 1;
  }

  /** Those with any data, by rising index. */
  tables(): TableClusters[] {
    return [...this.#bitmaps].map(([index, bits]) => ({ index, bits })).sort((one, other) => one.index - other.index);
  }

  #mark(cluster: number): void {
    const index = Math.floor(cluster / CLUSTERS_PER_TABLE);
    let bits = this.#bitmaps.get(index);
    if (bits === undefined) {
      bits = new Uint8Array(BITMAP_BYTES);
      this.#bitmaps.set(index, bits);
    }
    const at = cluster % CLUSTERS_PER_TABLE;
    const bit = 1 << (at & 7);
    const before = bits[at >> 3] ?? 0;
    if ((before & bit) !== 0) return;
    bits[at >> 3] = before | bit;
    this.#count += 1;
  }
}
