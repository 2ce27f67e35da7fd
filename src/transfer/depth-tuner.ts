import type { Clock } from '../ports/clock.ts';

export interface DepthTunerOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Most requests in flight; 16 unless told. */
  readonly maxConnections?: number | undefined;
}

const DEFAULT_MAX_CONNECTIONS = 16;
const FIRST_DEPTH = 2;
/** More requests are worth having from this much more throughput on. */
const WORTHWHILE = 1.1;
const LATENCY_RISE = 3;
/** Below this a rise is the noise of two busy processes, not a queue at the server. */
const LATENCY_FLOOR_MS = 50;
/** The best latency is forgotten by so much per measurement, because paths change. */
const LATENCY_DRIFT = 1.005;
const SETTLE_MS = 60;
const MEASURE_MS = 150;
/** What did not help is tried again after this long, then after twice that, and so on. */
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 10_000;
/** Measurements that must agree before a greater depth is given up: one may have been somebody else's fault. */
const CHANCES = 2;
/** Failures come in swarms: those within this time after one are the same one. */
const SAME_FAILURE_MS = 1_000;

/**
 * Decides how many requests to one server are in flight. It measures for a moment, and only while that many really are:
 *
 *   steady --(at the start, later every 1 to 10 s)--> twice the depth --(10 % more throughput)--> twice again, up to the maximum
 *                                                          `--(less, twice)--> back to the depth before, steady
 *   steady --(a failure, or 3x the best latency without more throughput)--> half the depth, steady
 */
export class DepthTuner {
  readonly maxConnections: number;
  readonly #clock: DepthTunerOptions['clock'];
  #depth: number;
  /** What the depth was before it was raised to find out whether that helps, and the bytes per ms it gave. */
  #before: { readonly depth: number; readonly rate: number } | undefined;
  #chances = CHANCES;
  #lastRate = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #growAtMs = Number.NEGATIVE_INFINITY;
  #failedMs = Number.NEGATIVE_INFINITY;
  #bestLatencyMs = Number.POSITIVE_INFINITY;
  #latencyMs = 0;
  /** Of the running measurement. */
  #startMs = 0;
  #endMs = 0;
  #bytes = 0;
  #fullMs = 0;
  #latencies: number[] = [];
  #inFlight = 0;
  #seenMs: number;

  constructor({ clock, maxConnections = DEFAULT_MAX_CONNECTIONS }: DepthTunerOptions) {
    this.maxConnections = Math.max(1, maxConnections);
    this.#clock = clock;
    this.#depth = Math.min(FIRST_DEPTH, this.maxConnections);
    this.#seenMs = clock.monotonicMs();
    this.#measure(this.#seenMs, SETTLE_MS);
  }

  /** Requests that may be in flight now. */
  get depth(): number {
    return this.#depth;
  }

  /** Call whenever it changes: throughput says something about the depth only while the depth is used. */
  setInFlight(count: number): void {
    this.#passTime(this.#clock.monotonicMs());
    this.#inFlight = count;
  }

  /** @param latencyMs from the request to its first byte, tries that failed included */
  firstByte(latencyMs: number): void {
    this.#latencies.push(latencyMs);
    this.#bestLatencyMs = Math.min(this.#bestLatencyMs, latencyMs);
  }

  received(bytes: number): void {
    const now = this.#clock.monotonicMs();
    this.#passTime(now);
    if (now >= this.#startMs) this.#bytes += bytes;
    if (now >= this.#endMs) this.#judge(now);
  }

  /** A request failed, or the server said that it is too busy. */
  failed(): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#failedMs < SAME_FAILURE_MS) return;
    this.#failedMs = now;
    this.#halve(now);
  }

  #judge(now: number): void {
    const elapsedMs = now - this.#startMs;
    const rate = this.#bytes / elapsedMs;
    const wasFull = this.#fullMs >= elapsedMs / 2;
    const isLate = this.#noteLatency();
    // Where the consumer or the memory is what everybody waits for, more connections are no question.
    if (!wasFull) {
      this.#measure(now, 0);
      return;
    }

    const before = this.#before;
    const isWorthwhile = rate >= WORTHWHILE * (before?.rate ?? this.#lastRate);
    this.#lastRate = rate;
    if (before !== undefined && !isWorthwhile) {
      this.#chances -= 1;
      if (this.#chances > 0) this.#measure(now, 0);
      else this.#settleAt(before.depth, now);
    } else if (before === undefined && !isWorthwhile && isLate) {
      this.#halve(now);
    } else if (this.#depth < this.maxConnections && (before !== undefined || now >= this.#growAtMs)) {
      if (before !== undefined) this.#pauseMs = FIRST_PAUSE_MS;
      this.#before = { depth: this.#depth, rate };
      this.#chances = CHANCES;
      this.#depth = Math.min(2 * this.#depth, this.maxConnections);
      this.#measure(now, this.#settleMs());
    } else {
      this.#before = undefined;
      this.#measure(now, 0);
    }
  }

  #halve(now: number): void {
    this.#settleAt(Math.max(1, Math.floor(this.#depth / 2)), now);
  }

  #settleAt(depth: number, now: number): void {
    this.#depth = depth;
    this.#before = undefined;
    this.#growAtMs = now + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LAST_PAUSE_MS);
    this.#measure(now, this.#settleMs());
  }

  /** Takes note of the mean, not the median: a few requests that had to be tried again are just what it shall show. Tells whether it has risen. */
  #noteLatency(): boolean {
    const count = this.#latencies.length;
    this.#bestLatencyMs *= LATENCY_DRIFT;
    if (count === 0) return false;
    this.#latencyMs = this.#latencies.reduce((sum, each) => sum + each, 0) / count;
    return this.#latencyMs > LATENCY_RISE * Math.max(this.#bestLatencyMs, LATENCY_FLOOR_MS);
  }

  /** New connections take a few round trips to come up to speed. */
  #settleMs(): number {
    return Math.max(SETTLE_MS, 2 * this.#latencyMs);
  }

  #measure(now: number, settleMs: number): void {
    this.#startMs = now + settleMs;
    this.#endMs = this.#startMs + Math.max(MEASURE_MS, 2 * this.#latencyMs);
    this.#bytes = 0;
    this.#fullMs = 0;
    this.#latencies = [];
  }

  #passTime(now: number): void {
    if (this.#inFlight >= this.#depth) this.#fullMs += Math.max(0, now - Math.max(this.#seenMs, this.#startMs));
    this.#seenMs = now;
  }
}
