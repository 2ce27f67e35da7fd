import type { CallOptions } from '../lib/call-options.ts';
import type { ByteBudget } from './byte-budget.ts';
import { SEGMENT_BYTES } from './plan-segments.ts';

/** Room besides a segment for a lone piece that is a little longer, such as a grain that did not get smaller by compression. */
const SLACK_BYTES = 64 * 1024;
export const SLAB_BYTES = SEGMENT_BYTES + SLACK_BYTES;

/** Memory that threads can share. */
export interface Slab {
  /** As long as was asked for; holds whatever was there before. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Gives the memory back; the bytes must not be touched any more. A second call does nothing. */
  release(): void;
}

/**
 * Hands out shared memory within a budget and uses it again. All slabs have one size, and each counts whole, however little of it is used: that is what it takes up. Longer ones
 * are made to measure and not kept.
 */
export class SlabPool {
  readonly #budget: ByteBudget;
  readonly #free: SharedArrayBuffer[] = [];
  #made = 0;

  /** @param budget may be shared with other pools */
  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Bytes handed out and not yet given back. */
  get heldBytes(): number {
    return this.#budget.usedBytes;
  }

  get peakBytes(): number {
    return this.#budget.peakBytes;
  }

  /** How many pieces of memory were made so far. */
  get madeCount(): number {
    return this.#made;
  }

  /** Waits its turn for the budget. @throws the signal's reason when aborted */
  async acquire(bytes: number, options?: CallOptions): Promise<Slab> {
    const isLarge = bytes > SLAB_BYTES;
    const chargedBytes = isLarge ? bytes : SLAB_BYTES;
    await this.#budget.acquire(chargedBytes, options);
    // Memory that lies idle is not in the budget: it must not come on top of a large piece.
    if (isLarge) this.#free.length = 0;
    const memory = (isLarge ? undefined : this.#free.pop()) ?? this.#make(chargedBytes);
    let isHeld = true;
    return {
      bytes: new Uint8Array(memory, 0, bytes),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        if (!isLarge) this.#free.push(memory);
        this.#budget.release(chargedBytes);
      },
    };
  }

  #make(bytes: number): SharedArrayBuffer {
    this.#made += 1;
    return new SharedArrayBuffer(bytes);
  }
}
