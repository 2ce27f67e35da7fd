import type { CallOptions } from '../lib/call-options.ts';
import type { FairSlots } from '../lib/fair-slots.ts';
import type { Clock } from '../ports/clock.ts';
import type { DataPlane, DiskResult, RateLimiter, VerifyMode } from '../ports/transfer.ts';
import type { PlannedDisk } from './import-plan.ts';
import type { ImportProgress } from './import-progress.ts';
import type { ImportReport } from './import-report.ts';

export interface ImportMachineOptions extends CallOptions {
  readonly verify: VerifyMode;
  /** Discard what an earlier, interrupted run left and begin again. */
  readonly restart?: boolean;
  /** Slows the reading of the source down; shared by all disks that it is given to. */
  readonly rateLimiter?: RateLimiter | undefined;
  readonly onProgress?: (progress: ImportProgress) => void;
  /** One sentence the user should know. */
  readonly onRemark?: (remark: string) => void;
}

export interface ImportOutcome {
  /** Where the machine lies now. */
  readonly location: string;
  readonly report: ImportReport;
}

/** What an import stands on, chosen in main/. */
export interface ImportParts {
  readonly dataPlane: DataPlane;
  readonly clock: Clock;
  readonly airliftVersion: string;
  /** How many disks are under way at once, of all imports of the process. */
  readonly diskSlots: FairSlots;
}

export interface TransferredDisk {
  readonly planned: PlannedDisk;
  readonly result: DiskResult;
  readonly allocatedBytes: number;
}
