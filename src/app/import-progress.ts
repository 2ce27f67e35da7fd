import type { Clock } from '../ports/clock.ts';

/** What a display needs to know at a moment. Bytes count the disk's data in copy, the whole disk in verify. */
export interface ImportProgress {
  readonly disks: readonly DiskDisplay[];
  readonly overall: Display;
}

export interface DiskDisplay extends Display {
  readonly index: number;
  readonly name: string;
  readonly phase: 'waiting' | 'copy' | 'finish' | 'verify' | 'done';
}

export interface Display {
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
  /** Over the last seconds; undefined before there is anything to measure. */
  readonly bytesPerSecond: number | undefined;
  readonly etaMs: number | undefined;
}

/** Half-life of old speed in the running mean. */
const HALF_LIFE_MS = 3_000;

/** A running mean of speed that forgets what is long past, and the time left by it. */
export class RateMeter {
  readonly #clock: Clock;
  #bytesPerMs: number | undefined;
  #lastMs: number;
  #lastBytes: number;

  constructor(clock: Clock, startBytes = 0) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
    this.#lastBytes = startBytes;
  }

  update(doneBytes: number): void {
    const now = this.#clock.monotonicMs();
    const passed = now - this.#lastMs;
    if (passed < 200) return;
    const current = Math.max(0, doneBytes - this.#lastBytes) / passed;
    const weight = 1 - 0.5 ** (passed / HALF_LIFE_MS);
    this.#bytesPerMs = this.#bytesPerMs === undefined ? current : this.#bytesPerMs + weight * (current - this.#bytesPerMs);
    this.#lastMs = now;
    this.#lastBytes = doneBytes;
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerMs === undefined ? undefined : this.#bytesPerMs * 1000;
  }

  etaMs(doneBytes: number, totalBytes: number | undefined): number | undefined {
    if (totalBytes === undefined || this.#bytesPerMs === undefined || this.#bytesPerMs <= 0) return undefined;
    return Math.max(0, totalBytes - doneBytes) / this.#bytesPerMs;
  }
}
