import type { Clock } from '../ports/clock.ts';

/** How long a request is looked at before it is called slow. */
export const PATIENCE_MS = 2_000;
/** What one look at a request can count for at most: a process that was held up itself must not blame the connections. */
const MAX_STEP_MS = 500;
const SLOW_PART = 1 / 4;
/** Finished requests that say what is usual. */
const REMEMBERED = 16;
/** A request younger than this says nothing about the usual rate. */
const GROWN_UP_MS = 500;

/** What one request brought, in the time in which it was let. */
export class RequestProgress {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #startedMs: number;
  #bytes = 0;
  /** Time in which it was held up by us. */
  #heldMs = 0;
  #heldSinceMs: number | undefined;
  #looks: { readonly ms: number; readonly bytes: number }[] = [];
  #lookedActiveMs = 0;
  #lookedBytes = 0;
  #lastByteActiveMs = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
  }

  received(bytes: number): void {
    this.#bytes += bytes;
    this.#lastByteActiveMs = this.#activeMs;
  }

  /** Runs what holds the request up through no fault of its own. */
  async hold(wait: () => Promise<void>): Promise<void> {
    this.#heldSinceMs = this.#clock.monotonicMs();
    try {
      await wait();
    } finally {
      this.#heldMs += this.#clock.monotonicMs() - this.#heldSinceMs;
      this.#heldSinceMs = undefined;
    }
  }

  /** Bytes per ms; undefined while it is too early to tell. */
  rate(minMs = GROWN_UP_MS): number | undefined {
    const activeMs = this.#activeMs;
    return activeMs < minMs ? undefined : this.#bytes / Math.max(1, activeMs);
  }

  /**
   * Looks at what came since the last look. Slow is a request that brought nothing for PATIENCE_MS, or in that time less than a quarter of what is usual.
   * @param usualRate bytes per ms; undefined when nobody knows
   */
  isSlow(usualRate: number | undefined): boolean {
    const activeMs = this.#activeMs;
    this.#looks.push({
      ms: Math.min(MAX_STEP_MS, activeMs - this.#lookedActiveMs),
      bytes: this.#bytes - this.#lookedBytes,
    });
    this.#lookedActiveMs = activeMs;
    this.#lookedBytes = this.#bytes;
    let ms = this.#looks.reduce((sum, look) => sum + look.ms, 0);
    while (ms - (this.#looks[0]?.ms ?? 0) >= PATIENCE_MS) ms -= this.#looks.shift()?.ms ?? 0;

    if (activeMs - this.#lastByteActiveMs >= PATIENCE_MS) return true;
    const bytes = this.#looks.reduce((sum, look) => sum + look.bytes, 0);
    return ms >= PATIENCE_MS && usualRate !== undefined && bytes < SLOW_PART * usualRate * ms;
  }

  get #activeMs(): number {
    const now = this.#clock.monotonicMs();
    const heldMs = this.#heldMs + (this.#heldSinceMs === undefined ? 0 : now - this.#heldSinceMs);
    return now - this.#startedMs - heldMs;
  }
}

/** Remembers what requests usually bring. */
export class UsualRate {
  readonly #finished: number[] = [];

  add(rate: number): void {
    this.#finished.push(rate);
    if (this.#finished.length > REMEMBERED) this.#finished.shift();
  }

  /** Median of the latest finished requests and of `others`, in bytes per ms; undefined without any. */
  medianWith(others: readonly RequestProgress[]): number | undefined {
    const running = others.map((each) => each.rate()).filter((rate) => rate !== undefined);
    const rates = [...this.#finished, ...running].sort((one, other) => one - other);
    return rates[Math.floor(rates.length / 2)];
  }
}
