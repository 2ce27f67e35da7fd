import { isProblem } from '../domain/problems.ts';

/** What refuses a transfer before it has changed anything of its own, so that the partial result is not its to remove. */
const KEEPS_PARTIAL = ['SourceChanged', 'PlanChanged', 'CheckpointUnusable', 'Interrupted'] as const;

/** Whether what a failed transfer left is kept to be continued: always but for a problem that no retry can cure (ruling 8). */
export function keepsPartial(error: unknown): boolean {
  return !isProblem(error) || error.problem.retry !== 'never' || isProblem(error, ...KEEPS_PARTIAL);
}
