import type { Clock } from '../ports/clock.ts';

export interface DepthTunerOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Most requests in flight; 16 unless told. */
  readonly maxConnections?: number | undefined;
  /** Requests in flight before anything was measured; 2 unless told. */
  readonly firstDepth?: number | undefined;
}

const DEFAULT_MAX_CONNECTIONS = 16;
const FIRST_DEPTH = 2;
/** More requests are worth having from this much more throughput on. */
const WORTHWHILE = 1.1;
const LATENCY_RISE = 3;
/** Below this a rise is the noise of two busy processes, not a queue at the server. */
const LATENCY_FLOOR_MS = 50;
const SETTLE_MS = 60;
const MEASURE_MS = 150;
/** A server that keeps its clients waiting for minutes is still to be judged now and then. */
const MAX_ROUND_TRIPS_MS = 2_000;
/** What did not help is tried again after this long, then after twice that, and so on. */
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 10_000;
/** Measurements that must agree before the depth becomes less: one may have been somebody else's fault, or half before and half after a change. */
const CHANCES = 2;
/** Failures come in swarms: those within this time after one are the same one. */
const SAME_FAILURE_MS = 1_000;

/** A depth that is tried out, and what was before. */
interface Trial {
  readonly kind: 'more' | 'less';
  readonly depth: number;
  /** In bytes per ms. */
  readonly rate: number;
  readonly latencyMs: number;
}

/**
 * Decides how many requests to one server are in flight. It measures for a moment, and only while that many really are:
 *
 *   steady --(at the start, later every 1 to 10 s)--> twice the depth --(10 % more throughput)--> twice again, up to the maximum
 *                                                          `--(less than that, twice)--> back, steady
 *   steady --(first bytes take 3x their best without more throughput, twice)--> half the depth --(as much throughput)--> steady
 *                                                          `--(less, twice)--> back, and that is the usual latency from now on
 *   anywhere --(a failure)--> half the depth, steady
 */
export class DepthTuner {
  readonly maxConnections: number;
  readonly #clock: DepthTunerOptions['clock'];
  #depth: number;
  #trial: Trial | undefined;
  #chances = CHANCES;
  #lastRate = 0;
  #lateCount = 0;
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

  constructor({ clock, maxConnections = DEFAULT_MAX_CONNECTIONS, firstDepth = FIRST_DEPTH }: DepthTunerOptions) {
    this.maxConnections = Math.max(1, maxConnections);
    this.#clock = clock;
    this.#depth = Math.min(firstDepth, this.maxConnections);
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
    this.#settleAt(Math.max(1, Math.floor(this.#depth / 2)), now);
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

    this.#lateCount = isLate && rate < WORTHWHILE * this.#lastRate ? this.#lateCount + 1 : 0;
    this.#lastRate = rate;
    if (this.#trial !== undefined) this.#judgeTrial(this.#trial, rate, now);
    else if (this.#lateCount >= CHANCES && this.#depth > 1) {
      this.#try('less', Math.floor(this.#depth / 2), rate, now);
    } else if (now >= this.#growAtMs) this.#tryMore(rate, now);
    else this.#measure(now, 0);
  }

  #judgeTrial(trial: Trial, rate: number, now: number): void {
    const isGood = trial.kind === 'more' ? rate >= WORTHWHILE * trial.rate : WORTHWHILE * rate > trial.rate;
    if (isGood && trial.kind === 'more') {
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#tryMore(rate, now);
    } else if (isGood) {
      this.#settleAt(this.#depth, now);
    } else if (this.#chances > 1) {
      this.#chances -= 1;
      this.#measure(now, 0);
    } else {
      // The answers do not come late because of us; fewer requests only brought less.
      if (trial.kind === 'less') this.#bestLatencyMs = trial.latencyMs;
      this.#settleAt(trial.depth, now);
    }
  }

  #tryMore(rate: number, now: number): void {
    if (this.#depth < this.maxConnections) {
      this.#try('more', Math.min(2 * this.#depth, this.maxConnections), rate, now);
    } else {
      this.#trial = undefined;
      this.#measure(now, 0);
    }
  }

  #try(kind: Trial['kind'], depth: number, rate: number, now: number): void {
    this.#lateCount = 0;
    this.#trial = { kind, depth: this.#depth, rate, latencyMs: this.#latencyMs };
    this.#chances = CHANCES;
    this.#depth = depth;
    this.#measure(now, this.#settleMs());
  }

  #settleAt(depth: number, now: number): void {
    this.#depth = depth;
    this.#trial = undefined;
    this.#growAtMs = now + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LAST_PAUSE_MS);
    this.#measure(now, this.#settleMs());
  }

  /** Takes note of the mean, not the median: a few requests that had to be tried again are just what it shall show. Tells whether it has risen. */
  #noteLatency(): boolean {
    const count = this.#latencies.length;
    if (count === 0) return false;
    this.#latencyMs = this.#latencies.reduce((sum, each) => sum + each, 0) / count;
    return this.#latencyMs > LATENCY_RISE * Math.max(this.#bestLatencyMs, LATENCY_FLOOR_MS);
  }

  /** New connections take a few round trips to come up to speed. */
  #settleMs(): number {
    return Math.max(SETTLE_MS, this.#roundTripsMs());
  }

  #roundTripsMs(): number {
    return Math.min(MAX_ROUND_TRIPS_MS, 2 * this.#latencyMs);
  }

  #measure(now: number, settleMs: number): void {
    this.#startMs = now + settleMs;
    this.#endMs = this.#startMs + Math.max(MEASURE_MS, this.#roundTripsMs());
    this.#bytes = 0;
    this.#fullMs = 0;
    this.#latencies = [];
  }

  #passTime(now: number): void {
    if (this.#inFlight >= this.#depth) this.#fullMs += Math.max(0, now - Math.max(this.#seenMs, this.#startMs));
    this.#seenMs = now;
  }
}
