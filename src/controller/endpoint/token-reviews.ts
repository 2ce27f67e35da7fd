import { createHash } from 'node:crypto';
import { TOKEN_AUDIENCE } from '../../api/literals.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ReviewToken, WorkerIdentity } from './transfer-desk.ts';

/** How long an answer is believed. A Pod that is gone is so for that long still taken for a worker; a worker of the past is stopped by its epoch, not by this. */
const GOOD_MS = 30_000;
/** What was refused is asked about again sooner: a Pod's token may be reviewed a moment before the API server knows the Pod. */
const BAD_MS = 2_000;
const MOST_KEPT = 2_048;
/** Beyond this nobody of ours is waiting: somebody tries tokens. */
const MOST_AT_ONCE = 32;
/** Service account tokens are a few KiB. */
const MOST_CHARACTERS = 16 * 1024;

interface Kept {
  readonly identity: Promise<WorkerIdentity>;
  endsMs: number;
}

/** Tells whose a bearer token is, and asks the cluster no more often than it must. Tokens are kept as hashes only. */
export class TokenReviews {
  readonly #review: ReviewToken;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #kept = new Map<string, Kept>();
  #underWay = 0;

  constructor(review: ReviewToken, clock: Pick<Clock, 'monotonicMs'>) {
    this.#review = review;
    this.#clock = clock;
  }

  /** @throws ProblemError `EndpointRefused`, and what asking the cluster met */
  async identify(authorization: string | undefined, options: CallOptions = {}): Promise<WorkerIdentity> {
    const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/.exec(authorization ?? '') ?? [];
    if (token === undefined || token.length > MOST_CHARACTERS) throw refused('there is no bearer token', 401);
    const key = createHash('sha256').update(token).digest('base64');
    const now = this.#clock.monotonicMs();
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.endsMs > now) return await kept.identity;
    return await this.#ask(key, token, now, options);
  }

  async #ask(key: string, token: string, now: number, { signal }: CallOptions): Promise<WorkerIdentity> {
    if (this.#underWay >= MOST_AT_ONCE)
      throw new ProblemError('ClusterBusy', `${MOST_AT_ONCE} tokens are being reviewed`);
    this.#underWay += 1;
    // Not under the signal of one caller: others of the same worker wait for the same answer.
    const identity = this.#identify(token).finally(() => {
      this.#underWay -= 1;
    });
    const kept: Kept = { identity, endsMs: now + GOOD_MS };
    this.#keep(key, kept);
    try {
      return await identity;
    } catch (error) {
      signal?.throwIfAborted();
      kept.endsMs = error instanceof ProblemError && error.code === 'EndpointRefused' ? now + BAD_MS : now;
      throw error;
    }
  }

  async #identify(token: string): Promise<WorkerIdentity> {
    const reviewed = await this.#review(token);
    if (reviewed === undefined) throw refused("the token is nobody's, or has expired", 401);
    const { audiences, namespace, serviceAccount, podName, podUid, node } = reviewed;
    if (!audiences.includes(TOKEN_AUDIENCE))
      throw refused(`the token is not for the audience "${TOKEN_AUDIENCE}"`, 401);
    if (podName === undefined || podUid === undefined) throw refused('the token is not bound to a Pod', 403);
    return { namespace, serviceAccount, podName, podUid, node };
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    // The oldest goes first: a Map remembers the order.
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT) break;
      this.#kept.delete(oldest);
    }
  }
}

export function refused(detail: string, status: 401 | 403): ProblemError {
  return new ProblemError('EndpointRefused', detail, { context: { status } });
}
