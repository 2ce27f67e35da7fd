import { sourceConditions, sourceStatuses } from '../../api/literals.ts';
import { type ProblemCode, problems } from '../../domain/problems.ts';
import { type ConditionClaim, mergeConditions } from '../conditions.ts';
import type { SourceStatusFields } from './source-kinds.ts';

/** What a look at a source came to. A source that is ready may still have something to warn of. */
export interface SourceVerdict {
  readonly isReady: boolean;
  readonly code: ProblemCode | undefined;
  readonly message: string;
}

export interface SourceLook {
  readonly verdict: SourceVerdict;
  readonly generation: number;
  /** Of the Secret that was read; undefined where none was. */
  readonly secretVersion: string | undefined;
  readonly nowMs: number;
}

/** Upstream's status and conditions, in the order in which upstream first writes them (reference 1.5), and ours. */
export function deriveSourceStatus(before: SourceStatusFields, look: SourceLook): SourceStatusFields {
  const { verdict, generation, secretVersion, nowMs } = look;
  const { isReady, code, message } = verdict;
  const time = formatTime(nowMs);
  const claims: readonly ConditionClaim[] = isReady
    ? [
        { type: sourceConditions.ready, status: 'True' },
        { type: sourceConditions.error, status: 'False' },
      ]
    : [
        { type: sourceConditions.error, status: 'True', reason: code, message },
        { type: sourceConditions.ready, status: 'False' },
      ];
  return {
    status: isReady ? sourceStatuses.ready : sourceStatuses.notReady,
    conditions: mergeConditions(before.conditions ?? [], claims, time),
    check: {
      time,
      observedGeneration: generation,
      message,
      ...(secretVersion === undefined ? {} : { secretVersion }),
      ...(code === undefined ? {} : { reason: code, nextStep: problems[code].remedy }),
    },
  };
}

/** Undefined before the first verdict. */
export function readinessOf({ status }: Pick<SourceStatusFields, 'status'>): boolean | undefined {
  if (status === sourceStatuses.ready) return true;
  return status === sourceStatuses.notReady ? false : undefined;
}

/** As upstream writes times: to the second. */
function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
