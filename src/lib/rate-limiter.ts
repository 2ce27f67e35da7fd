import type { CallOptions } from './call-options.ts';

/** What the limiter needs of a clock (ports/clock.ts). */
export interface LimiterClock {
  monotonicMs(): number;
  delay(ms: number, options?: CallOptions): Promise<void>;
}

export interface RateLimiterOptions {
  readonly bytesPerSecond: number;
  readonly clock: LimiterClock;
}

/** What may pass at once after a pause: half a percent of the bytes of ten seconds. */
const BURST_MS = 50;
/** Not worth a timer, and less than rounding may leave. */
const SOON_MS = 0.5;

interface Taker {
  readonly bytes: number;
  readonly grant: () => void;
}

/** One of those who share a rate. */
interface Share {
  readonly waiting: Taker[];
  /** Bytes granted, on the scale on which all shares that wait run level. */
  served: number;
}

/**
 * Lets bytes pass at a rate. Whoever takes from the same share is served in order; shares (`share`) that want more than there is get the same each, however many connections
 * they have. Taking more than a burst at once is fine: it waits as long as that takes.
 */
export class RateLimiter {
  readonly #bytesPerMs: number;
  readonly #clock: LimiterClock;
  readonly #waiting = new Set<Share>();
  readonly #own: Share = { waiting: [], served: 0 };
  /** When the bytes granted so far would have passed at exactly the rate. */
  #paidToMs = Number.NEGATIVE_INFINITY;
  #served = 0;
  #pause: AbortController | undefined;
  #isRunning = false;

  constructor({ bytesPerSecond, clock }: RateLimiterOptions) {
    if (!(bytesPerSecond > 0)) throw new RangeError(`a rate of ${bytesPerSecond} bytes per second lets nothing pass`);
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
  }

  /** Returns when the bytes may pass. @throws the signal's reason when aborted; the bytes then count for nothing */
  async take(bytes: number, options?: CallOptions): Promise<void> {
    await this.#take(this.#own, bytes, options);
  }

  /** A share of the rate for one disk. */
  share(): { take(bytes: number, options?: CallOptions): Promise<void> } {
    const share: Share = { waiting: [], served: 0 };
    return { take: (bytes, options) => this.#take(share, bytes, options) };
  }

  async #take(share: Share, bytes: number, { signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const taker: Taker = {
        bytes,
        grant() {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = () => {
        share.waiting.splice(share.waiting.indexOf(taker), 1);
        if (share.waiting.length === 0) this.#waiting.delete(share);
        // The pause was for somebody who may have gone.
        this.#pause?.abort();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      if (share.waiting.length === 0) {
        // Time in which a share wanted nothing gives it no claim on the others.
        share.served = Math.max(share.served, this.#served);
        this.#waiting.add(share);
      }
      share.waiting.push(taker);
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Serves those who wait, one after the other, until nobody does. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#paidToMs = Math.max(this.#paidToMs, this.#clock.monotonicMs());
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const { share, taker } = next;
      const paidToMs = this.#paidToMs + taker.bytes / this.#bytesPerMs;
      const waitMs = paidToMs - BURST_MS - this.#clock.monotonicMs();
      // Chosen anew after every wait: a share that was just served comes back for more only now. What was waited for is not lost, since all counts from what was paid.
      if (waitMs >= SOON_MS) {
        await this.#sleep(waitMs);
        continue;
      }
      share.waiting.shift();
      this.#served = share.served;
      share.served += taker.bytes;
      if (share.waiting.length === 0) this.#waiting.delete(share);
      // Waking late is made good, as far as that is no burst.
      this.#paidToMs = Math.max(paidToMs, this.#clock.monotonicMs());
      taker.grant();
    }
    this.#isRunning = false;
  }

  #next(): { readonly share: Share; readonly taker: Taker } | undefined {
    let least: Share | undefined;
    for (const share of this.#waiting) if (least === undefined || share.served < least.served) least = share;
    const taker = least?.waiting[0];
    return least === undefined || taker === undefined ? undefined : { share: least, taker };
  }

  /** Cut short when somebody gives up. */
  async #sleep(ms: number): Promise<void> {
    const pause = new AbortController();
    this.#pause = pause;
    try {
      await this.#clock.delay(ms, { signal: pause.signal });
    } catch (error) {
      if (!pause.signal.aborted) throw error;
    }
    this.#pause = undefined;
  }
}
