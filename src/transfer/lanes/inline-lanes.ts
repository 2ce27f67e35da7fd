import type { LanePool } from './lane-pool.ts';
import { LaneBuffers, LaneDiskWork, type LaneParts } from './run-job.ts';

/** Does the lanes' work in this thread, one job after the other: for tests, and where threads are not to be had. */
export function createInlineLanes(parts: LaneParts): LanePool {
  return {
    count: 1,
    jobsAhead: 2,
    openDisk(disk) {
      const work = new LaneDiskWork(parts, disk, new LaneBuffers());
      return {
        run: async (job) => work.run(job),
        [Symbol.asyncDispose]: async () => work[Symbol.dispose](),
      };
    },
  };
}
