import { ActiveFaults } from '../../src/testing/faults/fault-plan.ts';
import { faultyClock } from '../../src/testing/faults/faulty-clock.ts';
import type { StorageFault } from '../../src/testing/faults/faulty-storage.ts';
import { COPYING, type FaultKind } from './fault-kind.ts';
import { onProgressAt } from './on-progress.ts';

/** Neither source nor target is at fault: somebody stops the import, or sets the clock. */
export const momentFaults: readonly FaultKind[] = [
  {
    name: 'somebody stops it',
    points: [...COPYING, 'verification', 'rename'],
    codes: ['Interrupted'],
    fits: () => true,
    isOfTarget: true,
    inject(world, point) {
      if (point === 'rename') {
        const faults = new ActiveFaults<StorageFault>([
          { at: { operation: 1 }, fault: { on: 'rename', does: 'slow', ms: 0 } },
        ]);
        faults.onStrike = () => world.stop();
        world.storageFaults = faults;
      } else onProgressAt(world, point, () => world.stop());
    },
  },
  ...[3_600_000, -3_600_000].map(
    (jumpMs): FaultKind => ({
      name: `the clock is set ${jumpMs > 0 ? 'forward' : 'back'} by an hour`,
      points: ['start', 'end'],
      codes: [],
      fits: () => true,
      inject(world, point) {
        world.spoilClock = (clock) =>
          faultyClock(clock, new ActiveFaults([{ at: { operation: point === 'start' ? 1 : 2 }, fault: { jumpMs } }]));
        world.hasStruck = true;
      },
    }),
  ),
];
