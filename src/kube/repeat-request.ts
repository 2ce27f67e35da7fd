import { ProblemError } from '../domain/problems.ts';
import { type BackoffShape, backoffMs } from '../lib/backoff.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

export interface RepeatOptions extends CallOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Whether doing it twice is as good as doing it once. If not, it is repeated only when it surely was not done. */
  readonly isRepeatable: boolean;
}

const TRIES = 5;
const BACKOFF: BackoffShape = { firstMs: 250, capMs: 5_000 };
/** Callers have queues of their own to wait in; a request that holds its place for minutes helps nobody. */
const PATIENCE_MS = 30_000;

/** Tries a request again while that may help: a few times, and for half a minute. */
export async function repeatRequest<T>(act: () => Promise<T>, options: RepeatOptions): Promise<T> {
  const { clock, random, signal } = options;
  const beganMs = clock.monotonicMs();
  for (let failures = 1; ; failures += 1) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof ProblemError) || !mayHelp(error, options.isRepeatable)) throw error;
      const waitMs = Math.max(backoffMs(failures, BACKOFF, random), Number(error.context.retryAfterMs ?? 0));
      if (failures >= TRIES || clock.monotonicMs() - beganMs + waitMs > PATIENCE_MS) throw error;
      await clock.delay(waitMs, { signal });
    }
  }
}

function mayHelp({ code, context }: ProblemError, isRepeatable: boolean): boolean {
  if (code === 'ClusterBusy') return true;
  if (code === 'ClusterUnreachable') return isRepeatable || context.isNotSent === true;
  // 500 may come from a webhook that restarts; 410 and answers that cannot be read will be the same next time.
  return code === 'ClusterFailed' && context.status === 500 && isRepeatable;
}
