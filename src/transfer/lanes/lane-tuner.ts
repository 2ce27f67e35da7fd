/** How long throughput is measured before the next decision, of time in which every lane had work. */
const MEASURE_MS = 500;
/** One more lane is worth its memory from this much more throughput on. */
const WORTHWHILE = 1.05;

export interface LaneTunerOptions {
  /** Lanes to begin with. */
  readonly first: number;
  readonly most: number;
  readonly now: () => number;
}

/**
 * Decides how many lanes work (ruling 9): more only while throughput grows. A lane is added when all had work throughout a measurement; if that brings less than 5 %, it is taken back
 * and the number stays.
 */
export class LaneTuner {
  readonly #options: LaneTunerOptions;
  #count: number;
  /** Throughput with one lane less, in bytes per ms. */
  #before: number | undefined;
  #isSettled = false;
  #startedMs: number;
  #bytes = 0;

  constructor(options: LaneTunerOptions) {
    this.#options = options;
    this.#count = Math.min(options.first, options.most);
    this.#startedMs = options.now();
  }

  /** Lanes that may work now. */
  get count(): number {
    return this.#count;
  }

  /** A job of so many bytes of the disk is done. `hasMore`: others wait, so no lane is idle. */
  done(bytes: number, hasMore: boolean): void {
    if (this.#isSettled || this.#options.most <= this.#options.first) return;
    const now = this.#options.now();
    if (!hasMore) {
      // The source or the target is the limit for a moment; what was measured says nothing.
      this.#restart(now);
      return;
    }
    this.#bytes += bytes;
    if (now - this.#startedMs >= MEASURE_MS) this.#decide(this.#bytes / (now - this.#startedMs), now);
  }

  #decide(rate: number, now: number): void {
    if (this.#before !== undefined && rate < this.#before * WORTHWHILE) {
      this.#count -= 1;
      this.#isSettled = true;
    } else if (this.#count === this.#options.most) this.#isSettled = true;
    else {
      this.#before = rate;
      this.#count += 1;
    }
    this.#restart(now);
  }

  #restart(now: number): void {
    this.#startedMs = now;
    this.#bytes = 0;
  }
}
