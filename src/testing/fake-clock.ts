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

/** Time passes with every look, so that whatever is due after seconds is due all the time. */
export class HurriedClock extends FakeClock {
  override monotonicMs(): number {
    this.ms += 1_000;
    return this.ms;
  }
}
