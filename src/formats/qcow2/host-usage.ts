/** Bits in one part of a map; a part is made when something in it is used (64 KiB for 2^19 clusters). */
const PART_BITS = 2 ** 19;
/** 128 MiB of parts: 64 TiB of data in clusters of 64 KiB. */
const MAX_PARTS = 2048;

/**
 * Remembers which clusters of an image file hold what, so that one used twice is noticed: such an image would give the same bytes in two places, or tables as data.
 * Compressed clusters may share a host cluster with each other.
 */
export class HostUsage {
  readonly #clusterBytes: number;
  readonly #owned = new SparseBits();
  readonly #packed = new SparseBits();

  constructor(clusterBytes: number) {
    this.#clusterBytes = clusterBytes;
  }

  /** False when the clusters were used in a way that excludes this one. */
  claim(host: number, bytes: number, use: 'table' | 'plain' | 'compressed'): boolean {
    const last = Math.floor((host + bytes - 1) / this.#clusterBytes);
    for (let cluster = Math.floor(host / this.#clusterBytes); cluster <= last; cluster += 1) {
      if (this.#owned.has(cluster)) return false;
      if (use === 'compressed') this.#packed.set(cluster);
      else if (this.#packed.has(cluster)) return false;
      else this.#owned.set(cluster);
    }
    return true;
  }

  /** True when remembering more would take more memory than a reader may use. */
  get isFull(): boolean {
    return this.#owned.parts + this.#packed.parts > MAX_PARTS;
  }
}

class SparseBits {
  readonly #parts = new Map<number, Uint8Array>();
  /** The part used last; clusters mostly follow each other. */
  #index = -1;
  #part: Uint8Array = new Uint8Array(0);

  get parts(): number {
    return this.#parts.size;
  }

  has(bit: number): boolean {
    if (!this.#find(bit)) return false;
    const at = bit % PART_BITS;
    return (((this.#part[at >>> 3] ?? 0) >>> (at & 7)) & 1) === 1;
  }

  set(bit: number): void {
    if (!this.#find(bit)) {
      this.#part = new Uint8Array(PART_BITS / 8);
      this.#index = Math.floor(bit / PART_BITS);
      this.#parts.set(this.#index, this.#part);
    }
    const at = bit % PART_BITS;
    this.#part[at >>> 3] = (this.#part[at >>> 3] ?? 0) | (1 << (at & 7));
  }

  #find(bit: number): boolean {
    const index = Math.floor(bit / PART_BITS);
    if (index === this.#index) return true;
    const part = this.#parts.get(index);
    if (part === undefined) return false;
    this.#index = index;
    this.#part = part;
    return true;
  }
}
