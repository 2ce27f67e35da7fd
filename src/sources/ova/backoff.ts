import type { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';

const FIRST_MS = 500;
const CAP_MS = 30_000;
/** A server may ask for more patience than this in vain: the import shall end with an answer. */
const RETRY_AFTER_CAP_MS = 60_000;
const TRIES = 5;

export interface BackoffOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Tries without progress, the first one included; 5 unless told. */
  readonly tries?: number | undefined;
  /**
   * Asked about a problem that may pass: whether it has a cause outside the source, which the call has waited to be gone. Such a try does not count, so that the source
   * itself gets its full number of tries afterwards.
   */
  readonly excuse?: ((problem: ProblemError, options: CallOptions) => Promise<boolean>) | undefined;
}

/** Waits between tries: half a second, doubling up to half a minute, each shortened by chance to as little as half. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Something came: what went wrong before does not count any more. */
  progressed(): void {
    this.#failures = 0;
  }

  /** Waits before the next try, or throws the problem when it will not pass by itself or no try is left. */
  async wait(problem: ProblemError, { signal }: CallOptions = {}): Promise<void> {
    if (mayPass(problem) && (await this.#options.excuse?.(problem, { signal }))) return;
    this.#failures += 1;
    if (!mayPass(problem) || this.#failures >= (this.#options.tries ?? TRIES)) throw problem;
    const full = Math.min(CAP_MS, FIRST_MS * 2 ** (this.#failures - 1));
    const own = full * (0.5 + this.#options.random() / 2);
    const asked = Math.min(RETRY_AFTER_CAP_MS, Number(problem.context.retryAfterMs ?? 0));
    await this.#options.clock.delay(Math.max(own, asked), { signal });
  }
}

/** 4xx answers other than the busy ones will be the same next time. */
function mayPass(problem: ProblemError): boolean {
  const { status } = problem.context;
  const isRefusal = problem.code === 'SourceFailed' && typeof status === 'number' && status < 500;
  return problem.problem.retry === 'backoff' && !isRefusal;
}
