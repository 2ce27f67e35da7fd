import type { Clock } from '../../ports/clock.ts';
import type { ActiveFaults } from './fault-plan.ts';

/** Somebody sets the clock of the machine, forward or (negative) backward, and it stays so. */
export interface ClockFault {
  readonly jumpMs: number;
}

/** The same clock, set to another time at some look at it. An operation is one look; bytes mean nothing here. `monotonicMs` never jumps, by contract, nor does `delay`. */
export function faultyClock(clock: Clock, faults: ActiveFaults<ClockFault>): Clock {
  let looks = 0;
  let shiftMs = 0;
  return {
    now: () => {
      looks += 1;
      const taken = faults.take(() => ({ number: looks, from: 0, to: 0 }));
      if (taken !== undefined) shiftMs += taken.fault.jumpMs;
      return clock.now() + shiftMs;
    },
    monotonicMs: () => clock.monotonicMs(),
    delay: (ms, options) => clock.delay(ms, options),
  };
}
