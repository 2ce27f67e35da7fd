import { SECTORS_PER_CLUSTER } from './cluster-map.ts';

/**
 * Hands out space in the image file, always behind what was handed out before. Cluster 0 is the header's. Several of them, in several threads, may share one counter: whole clusters
 * come from it, and each packs compressed ones into clusters that are its own.
 */
export class HostSpace {
  /** One 64-bit integer: the first cluster that nothing lies in. */
  readonly nextCluster: SharedArrayBuffer;
  readonly #counter: BigInt64Array;
  /** What is left of the clusters that compressed ones are packed into. */
  #packAt = 0;
  #packEnd = 0;

  constructor(nextCluster: SharedArrayBuffer) {
    this.nextCluster = nextCluster;
    this.#counter = new BigInt64Array(nextCluster);
  }

  /** @param endSector first sector behind everything in use */
  static behind(endSector: number): HostSpace {
    const space = new HostSpace(new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT));
    Atomics.store(space.#counter, 0, BigInt(Math.max(1, Math.ceil(endSector / SECTORS_PER_CLUSTER))));
    return space;
  }

  /** First cluster that nothing lies in. */
  get endCluster(): number {
    return Number(Atomics.load(this.#counter, 0));
  }

  /** Returns the position, in sectors, of `count` whole clusters behind each other. */
  takeClusters(count: number): number {
    return Number(Atomics.add(this.#counter, 0, BigInt(count))) * SECTORS_PER_CLUSTER;
  }

  /**
   * Returns the position, in sectors, of room for a compressed cluster; one may begin in the host cluster where the last one ended.
   * @param ahead sectors that this one and those asked for next need, which then lie behind each other
   */
  takeSectors(count: number, ahead = count): number {
    if (this.#packAt + count > this.#packEnd) {
      const clusters = Math.ceil(ahead / SECTORS_PER_CLUSTER);
      const taken = this.takeClusters(clusters);
      if (taken !== this.#packEnd) this.#packAt = taken;
      this.#packEnd = taken + clusters * SECTORS_PER_CLUSTER;
    }
    const position = this.#packAt;
    this.#packAt += count;
    return position;
  }
}
