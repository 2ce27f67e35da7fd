import { FRACTIONS, type Point } from './fault-kind.ts';
import type { FaultWorld } from './fault-world.ts';

/** Once the copy is that far; `verification` is when the copy is done and nothing is read back yet. */
export function onProgressAt(world: FaultWorld, point: Point, strike: () => void): void {
  const diskBytes = world.options.sample.content.length;
  world.onProgress = ({ phase, doneBytes, totalBytes = diskBytes }) => {
    const isReached =
      point === 'verification' ? phase === 'finish' : phase !== 'copy' || doneBytes >= totalBytes * FRACTIONS[point];
    if (!isReached) return;
    world.onProgress = () => {};
    world.hasStruck = true;
    strike();
  };
}
