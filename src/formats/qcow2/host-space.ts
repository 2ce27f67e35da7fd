import { SECTORS_PER_CLUSTER } from './cluster-map.ts';

/** Hands out space in the image file, always behind what was handed out before. Cluster 0 is the header's. */
export class HostSpace {
  #nextCluster: number;
  /** What is left of the clusters that compressed ones are packed into. */
  #packAt = 0;
  #packEnd = 0;

  /** @param endSector first sector behind everything in use */
  constructor(endSector: number) {
    this.#nextCluster = Math.max(1, Math.ceil(endSector / SECTORS_PER_CLUSTER));
  }

  /** First cluster that nothing lies in. */
  get endCluster(): number {
    return this.#nextCluster;
  }

  /** Returns the position, in sectors, of a whole cluster. */
  takeCluster(): number {
    const position = this.#nextCluster * SECTORS_PER_CLUSTER;
    this.#nextCluster += 1;
    return position;
  }

  /** Returns the position, in sectors, of room for a compressed cluster; one may begin in the host cluster where the last one ended. */
  takeSectors(count: number): number {
    const end = this.#nextCluster * SECTORS_PER_CLUSTER;
    if (this.#packAt + count > this.#packEnd && this.#packEnd !== end) {
      this.#packAt = end;
      this.#packEnd = end;
    }
    while (this.#packAt + count > this.#packEnd) {
      this.takeCluster();
      this.#packEnd += SECTORS_PER_CLUSTER;
    }
    const position = this.#packAt;
    this.#packAt += count;
    return position;
  }
}
