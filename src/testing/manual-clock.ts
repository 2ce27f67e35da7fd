import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock that moves only when told, and wakes those who wait in the order of time. For tests in which several things wait at once. */
export class ManualClock implements Clock {
  ms = 1_000_000;
  readonly #sleepers: Sleeper[] = [];

  now(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  async delay(ms: number, { signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const sleeper: Sleeper = {
        atMs: this.ms + ms,
        wake() {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = () => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** How many delays are under way. */
  get waiting(): number {
    return this.#sleepers.length;
  }

  /** Moves on step by step, and lets everybody do what they do in between. */
  async advance(ms: number): Promise<void> {
    const endMs = this.ms + ms;
    await settle();
    for (let next = this.#nextBefore(endMs); next !== undefined; next = this.#nextBefore(endMs)) {
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      this.ms = Math.max(this.ms, next.atMs);
      next.wake();
      await settle();
    }
    this.ms = endMs;
  }

  #nextBefore(endMs: number): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const each of this.#sleepers) if (each.atMs <= endMs && each.atMs < (next?.atMs ?? Infinity)) next = each;
    return next;
  }
}

/** Returns when everything that needs no time has happened. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
