import type { LaneDisk, LaneJob, LaneResult } from './lane-job.ts';

/** Threads (or, in tests, this thread) that decode, hash and write; shared by all disks of the process. */
export interface LanePool {
  /** Lanes that work at once; may change. */
  readonly count: number;
  /** What may be waited for, of one disk: enough that no lane ever waits for its next job. */
  readonly jobsAhead: number;
  openDisk(disk: LaneDisk): LaneSession;
}

/** One disk's turn on the lanes. Disks take turns job by job. Disposing waits for its jobs and closes what lanes opened for the disk. */
export interface LaneSession extends AsyncDisposable {
  /** @throws ProblemError what the job met */
  run(job: LaneJob): Promise<LaneResult>;
}
