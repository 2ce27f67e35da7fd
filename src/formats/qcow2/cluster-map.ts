import { BLOCK_BYTES, BLOCKS_PER_LEAF } from '../../domain/digest-layout.ts';

/** Clusters that we write are blocks: 64 KiB. */
export const CLUSTER_BYTES = BLOCK_BYTES;
export const SECTOR_BYTES = 512;
export const SECTORS_PER_CLUSTER = CLUSTER_BYTES / SECTOR_BYTES;
/** Clusters that one L2 table maps. */
export const CLUSTERS_PER_TABLE = CLUSTER_BYTES / 8;

/** Where a cluster of the disk lies in the image file. */
export interface Place {
  /** In sectors. Never 0, where the header is. */
  readonly position: number;
  /** Sectors of a compressed cluster; 0 for one that is stored as it is. */
  readonly packedSectors: number;
}

/** Low 32 bits of the position, then its next 8 bits above 8 bits of packed sectors: 6 bytes a cluster, 96 MiB for a full TiB. */
interface Part {
  readonly low: Uint32Array;
  readonly high: Uint16Array;
}

/** Where each cluster of the disk lies. Memory: 48 KiB for every 512 MiB of the disk in which something was written. */
export class ClusterMap {
  readonly #parts = new Map<number, Part>();

  get(cluster: number): Place | undefined {
    const part = this.#parts.get(Math.floor(cluster / CLUSTERS_PER_TABLE));
    return part === undefined ? undefined : placeIn(part, cluster % CLUSTERS_PER_TABLE);
  }

  set(cluster: number, { position, packedSectors }: Place): void {
    const index = Math.floor(cluster / CLUSTERS_PER_TABLE);
    let part = this.#parts.get(index);
    if (part === undefined) {
      part = { low: new Uint32Array(CLUSTERS_PER_TABLE), high: new Uint16Array(CLUSTERS_PER_TABLE) };
      this.#parts.set(index, part);
    }
    part.low[cluster % CLUSTERS_PER_TABLE] = position % 2 ** 32;
    part.high[cluster % CLUSTERS_PER_TABLE] = (Math.floor(position / 2 ** 32) << 8) | packedSectors;
  }

  /** Makes holes of whole leaves. */
  clearLeaves(first: number, count: number): void {
    const end = (first + count) * BLOCKS_PER_LEAF;
    for (const [index, part] of this.#parts) {
      const from = Math.max(first * BLOCKS_PER_LEAF - index * CLUSTERS_PER_TABLE, 0);
      const to = Math.min(end - index * CLUSTERS_PER_TABLE, CLUSTERS_PER_TABLE);
      if (from >= to) continue;
      part.low.fill(0, from, to);
      part.high.fill(0, from, to);
    }
  }

  isHoleLeaf(leaf: number): boolean {
    const first = leaf * BLOCKS_PER_LEAF;
    const part = this.#parts.get(Math.floor(first / CLUSTERS_PER_TABLE));
    if (part === undefined) return true;
    const from = first % CLUSTERS_PER_TABLE;
    for (let at = from; at < from + BLOCKS_PER_LEAF; at += 1) {
      if (placeIn(part, at) !== undefined) return false;
    }
    return true;
  }

  /** The parts of the disk that an L2 table is needed for, in order: the table's number and the places in it. */
  *tables(): Generator<{ index: number; places: Iterable<[entry: number, place: Place]> }, void> {
    for (const index of [...this.#parts.keys()].sort((one, other) => one - other)) {
      const part = this.#parts.get(index);
      if (part === undefined) continue;
      const isEmpty = placesOf(part).next().done === true;
      if (!isEmpty) yield { index, places: placesOf(part) };
    }
  }

  /** First sector behind everything mapped. */
  endSector(): number {
    let end = 0;
    for (const { places } of this.tables()) {
      for (const [, { position, packedSectors }] of places) {
        end = Math.max(end, position + (packedSectors || SECTORS_PER_CLUSTER));
      }
    }
    return end;
  }
}

function placeIn(part: Part, at: number): Place | undefined {
  const low = part.low[at] ?? 0;
  const high = part.high[at] ?? 0;
  if (low === 0 && high === 0) return undefined;
  return { position: (high >>> 8) * 2 ** 32 + low, packedSectors: high & 0xff };
}

function* placesOf(part: Part): Generator<[number, Place], void> {
  for (let at = 0; at < CLUSTERS_PER_TABLE; at += 1) {
    const place = placeIn(part, at);
    if (place !== undefined) yield [at, place];
  }
}
