import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { DataPlane, DiskResult, VerifyMode } from '../ports/transfer.ts';
import type { PlannedDisk } from './import-plan.ts';
import type { ImportProgress } from './import-progress.ts';
import type { ImportReport } from './import-report.ts';

export interface ImportMachineOptions extends CallOptions {
  readonly verify: VerifyMode;
  /** Discard what an earlier, interrupted run left and begin again. */
  readonly restart?: boolean;
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
}

export interface TransferredDisk {
  readonly planned: PlannedDisk;
  readonly result: DiskResult;
  readonly allocatedBytes: number;
}
