import type { Clock } from '../ports/clock.ts';

/** A clock that stands still unless told; a delay moves it on at once. */
export class FakeClock implements Clock {
  ms = 1_000_000;
  readonly delays: number[] = [];

  now(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  async delay(ms: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    signal?.throwIfAborted();
    this.delays.push(ms);
    this.ms += ms;
  }
}
