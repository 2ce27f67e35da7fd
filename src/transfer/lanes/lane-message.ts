import { type ProblemCode, type ProblemContext, ProblemError } from '../../domain/problems.ts';
import type { LaneDisk, LaneJob, LaneResult } from './lane-job.ts';

/** To a lane. */
export type LaneRequest =
  | { readonly open: LaneDisk; readonly disk: number }
  | { readonly job: LaneJob; readonly disk: number; readonly id: number }
  | { readonly close: true; readonly disk: number }
  /** After what was sent before. */
  | { readonly stop: true };

/** From a lane. */
export type LaneAnswer =
  | { readonly ready: true }
  | { readonly id: number; readonly result: LaneResult }
  | { readonly id: number; readonly failure: LaneFailure };

/** An error as plain data: a thread's border takes the class off. */
export type LaneFailure =
  | {
      readonly problem: ProblemCode;
      readonly message: string;
      readonly context: ProblemContext;
      readonly cause: unknown;
    }
  | { readonly bug: unknown };

export function packFailure(error: unknown): LaneFailure {
  if (!(error instanceof ProblemError)) return { bug: error };
  return { problem: error.code, message: error.message, context: error.context, cause: error.cause };
}

export function unpackFailure(failure: LaneFailure): unknown {
  if ('bug' in failure) return failure.bug;
  const { problem, message, context, cause } = failure;
  return new ProblemError(problem, message, { context, ...(cause === undefined ? {} : { cause }) });
}
