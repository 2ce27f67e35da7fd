interface Share {
  left: number;
  sinceMs: number;
}

const BURST = 25;
const REFILL_MS = 300_000;
/** Objects whose share is remembered; the one not heard of for longest is forgotten. */
const MOST_OBJECTS = 4_096;

/** How many events an object may still have: 25 at once, and one more each five minutes (as client-go has it). */
export class EventBudget {
  readonly #clock: { monotonicMs(): number };
  readonly #shares = new Map<string, Share>();

  constructor(clock: { monotonicMs(): number }) {
    this.#clock = clock;
  }

  take(uid: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const share = this.#shares.get(uid) ?? { left: BURST, sinceMs: nowMs };
    const refilled = Math.floor((nowMs - share.sinceMs) / REFILL_MS);
    share.left = Math.min(BURST, share.left + refilled);
    share.sinceMs += refilled * REFILL_MS;
    // To the end of the line.
    this.#shares.delete(uid);
    this.#shares.set(uid, share);
    if (this.#shares.size > MOST_OBJECTS) this.#shares.delete(this.#shares.keys().next().value ?? '');
    if (share.left === 0) return false;
    share.left -= 1;
    return true;
  }
}
