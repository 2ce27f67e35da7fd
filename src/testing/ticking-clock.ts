import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

/** Time passes by the same step with every look; a delay ends only when the time it was to end at was seen, or by its signal. */
export class TickingClock implements Clock {
  ms = 0;
  readonly #stepMs: number;
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  constructor(stepMs = 1) {
    this.#stepMs = stepMs;
  }

  now(): number {
    return this.ms;
  }

  monotonicMs(): number {
    this.advance(this.#stepMs);
    return this.ms;
  }

  advance(ms: number): void {
    this.ms += ms;
    for (const sleeper of this.#sleepers) if (sleeper.atMs <= this.ms) sleeper.wake();
  }

  async delay(ms: number, { signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const sleeper = {
        atMs: this.ms + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Delays under way. */
  get waiting(): number {
    return this.#sleepers.size;
  }
}
