import type { ImportPlan } from './import-plan.ts';
import type { ImportProgress } from './import-progress.ts';
import type { ImportReport } from './import-report.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Source } from '../ports/source.ts';
import type { Target } from '../ports/target.ts';

export interface ImportOptions extends CallOptions {
  readonly verify: 'readback' | 'none';
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

/** Does what the plan says. See import-machine for the implementation handed to the command line as a service. */
export type ImportMachine = (source: Source, target: Target, plan: ImportPlan, options: ImportOptions) => Promise<ImportOutcome>;
