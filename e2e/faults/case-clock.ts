import { systemClock } from '../../src/main/system-clock.ts';
import type { Clock } from '../../src/ports/clock.ts';

/** The machine's clock, running so many times as fast: what is due after seconds is due after a moment, and backoffs are over at once. Steady, never jumping. */
export function fastClock(speed: number): Clock {
  const startedAt = systemClock.now();
  const startedMs = systemClock.monotonicMs();
  const elapsedMs = () => (systemClock.monotonicMs() - startedMs) * speed;
  return {
    now: () => startedAt + elapsedMs(),
    monotonicMs: elapsedMs,
    delay: (ms, options) => systemClock.delay(ms / speed, options),
  };
}

/** One clock for everything that lives longer than a case, behind which each case puts its own. */
export class CaseClock implements Clock {
  current: Clock;

  constructor(current: Clock) {
    this.current = current;
  }

  now(): number {
    return this.current.now();
  }

  monotonicMs(): number {
    return this.current.monotonicMs();
  }

  delay(...args: Parameters<Clock['delay']>): Promise<void> {
    return this.current.delay(...args);
  }
}
