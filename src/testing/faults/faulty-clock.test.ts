import { expect, test } from 'vitest';
import { FakeClock } from '../fake-clock.ts';
import { ActiveFaults } from './fault-plan.ts';
import { faultyClock } from './faulty-clock.ts';

test.each([3_600_000, -3_600_000])(
  'a clock that is set by %i ms keeps the new time, and monotonic time never jumps',
  async (jumpMs) => {
    const inner = new FakeClock();
    const clock = faultyClock(inner, new ActiveFaults([{ at: { operation: 2 }, fault: { jumpMs } }]));
    const start = inner.ms;
    expect(clock.now()).toBe(start);
    expect(clock.now()).toBe(start + jumpMs);
    expect(clock.now()).toBe(start + jumpMs);
    expect(clock.monotonicMs()).toBe(start);
    await clock.delay(50);
    expect(inner.delays).toEqual([50]);
    expect(clock.now()).toBe(start + jumpMs + 50);
  },
);
