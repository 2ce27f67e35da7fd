import { leafCount, leafOf } from '../../domain/digest-layout.ts';
import type { LeafRun } from '../../ports/disk-reader.ts';

const SATURATED = 0xffff;
const MAX_RUNS = 4096;

/**
 * Counts per leaf what will still touch it: grains where tables told them, whole tables where only the stream will tell. Two bytes per leaf: 512 KiB for
 * a disk of 1 TiB.
 */
export class LeafClaims {
  readonly #counts: Uint16Array;

  constructor(virtualSizeBytes: number) {
    this.#counts = new Uint16Array(leafCount(virtualSizeBytes));
  }

  claim(offset: number, length: number): void {
    const last = leafOf(offset + length - 1);
    for (let leaf = leafOf(offset); leaf <= last; leaf += 1) {
      const count = this.#counts[leaf] ?? 0;
      // A leaf claimed more often than can be counted stays open to the end; no real image comes near.
      if (count < SATURATED) this.#counts[leaf] = count + 1;
    }
  }

  /** What one reading of the disk settles, claim by claim. */
  open(): LeafLedger {
    return new LeafLedger(Uint16Array.from(this.#counts));
  }
}

export class LeafLedger {
  readonly #counts: Uint16Array;
  #closed: { first: number; count: number }[] = [];

  constructor(counts: Uint16Array) {
    this.#counts = counts;
  }

  /** Leaves that nothing claims, in lists of bounded length. */
  *unclaimed(): Generator<LeafRun[], void> {
    for (let leaf = 0; leaf < this.#counts.length; leaf += 1) {
      if (this.#counts[leaf] !== 0) continue;
      this.#close(leaf);
      if (this.#closed.length > MAX_RUNS) yield this.takeClosed();
    }
    if (this.#closed.length > 0) yield this.takeClosed();
  }

  /** One claim is fulfilled. */
  settle(offset: number, length: number): void {
    const last = leafOf(offset + length - 1);
    for (let leaf = leafOf(offset); leaf <= last; leaf += 1) {
      const count = this.#counts[leaf] ?? 0;
      if (count === 0 || count === SATURATED) continue;
      this.#counts[leaf] = count - 1;
      if (count === 1) this.#close(leaf);
    }
  }

  /** The leaves closed since the last call. */
  takeClosed(): LeafRun[] {
    const closed = this.#closed;
    this.#closed = [];
    return closed;
  }

  #close(leaf: number): void {
    const last = this.#closed.at(-1);
    if (last && last.first + last.count === leaf) last.count += 1;
    else this.#closed.push({ first: leaf, count: 1 });
  }
}
