import type { ObjectRef } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';
import { LeaseLock } from './lease-lock.ts';
import { withTimeLimit } from './with-time-limit.ts';

export interface LeaderElectionOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** The Lease that whoever leads holds. */
  readonly lease: ObjectRef & { readonly namespace: string };
  /** Of this candidate; no other one has it, not even an earlier process of the same Pod. */
  readonly identity: string;
  /** How long a lease counts without renewal; 15 s unless told. */
  readonly leaseDurationMs?: number | undefined;
  /** How long renewing is tried before leading ends; 10 s unless told. What is left of the lease's duration then is the time to stop. */
  readonly renewDeadlineMs?: number | undefined;
  /** Pause between two tries; 2 s unless told. */
  readonly retryPeriodMs?: number | undefined;
  readonly onChange?: ((change: LeadershipChange) => void) | undefined;
}

export type LeadershipChange =
  | { readonly state: 'standby'; readonly holder: string }
  | { readonly state: 'leading' | 'lost' | 'released' }
  /** A try failed; it goes on. */
  | { readonly state: 'failing'; readonly error: unknown };

/** What whoever leads is given. */
export interface Leadership {
  /** Fires before anybody else could lead, with `LeadershipLost`; or when the caller's signal does, with its reason. */
  readonly signal: AbortSignal;
  /** Whether the lease counts at this moment: right also in a process that stood still for a while and whose timers are late. */
  isHeld(): boolean;
}

/** A lease that is held, and from when on that counts. */
interface Held {
  sinceMs: number;
}

/**
 * Waits until this process leads, lets it, and gives the lease back when `lead` has ended.
 *
 *     standby --(nobody renews for its duration)--> leading --(renewed in time)--> leading
 *                                                      |---(not renewed)----> lost: the signal fires
 *                                                      '---(lead has ended)-> released: the next one need not wait
 *
 * With the semantics of client-go: one of several processes leads, by a Lease. The holder counts on it for `renewDeadlineMs` from when it *began* the last renewal that succeeded; others wait
 * for its whole duration from when they saw that renewal. When the lease is lost or the signal fires, `lead` is told by its own signal and waited for; the lease is renewed until it
 * has ended.
 * @throws ProblemError `LeadershipLost` when `lead` ends without throwing after the lease was lost; what `lead` throws; the signal's reason before it leads
 */
export async function leadWhileElected<T>(
  options: LeaderElectionOptions,
  lead: (leadership: Leadership) => Promise<T>,
  { signal }: CallOptions = {},
): Promise<T> {
  const election = new Election(options);
  const held: Held = { sinceMs: await election.acquire(signal) };
  const over = new AbortController();
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  let lost: ProblemError | undefined;
  const renewing = election.renew(held, over.signal).then((problem) => {
    lost = problem;
    if (problem) stop.abort(problem);
  });
  try {
    const result = await lead({ signal: stop.signal, isHeld: () => lost === undefined && election.isFresh(held) });
    if (lost !== undefined) throw lost;
    return result;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    over.abort(new Error('leading has ended'));
    await renewing;
    if (lost === undefined) await election.release();
  }
}

class Election {
  readonly #options: LeaderElectionOptions;
  readonly #lock: LeaseLock;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;

  constructor(options: LeaderElectionOptions) {
    const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options;
    if (leaseDurationMs <= renewDeadlineMs || renewDeadlineMs <= retryPeriodMs) {
      throw new RangeError('a lease lasts longer than its renewal may take, and that longer than one try');
    }
    this.#options = options;
    this.#lock = new LeaseLock({ ...options, leaseDurationMs });
    this.#renewDeadlineMs = renewDeadlineMs;
    this.#retryPeriodMs = retryPeriodMs;
  }

  isFresh({ sinceMs }: Held): boolean {
    return this.#leftMs(sinceMs) > 0;
  }

  /** Returns the moment from which the lease counts. */
  async acquire(signal: AbortSignal | undefined): Promise<number> {
    const { clock, random, onChange } = this.#options;
    let holder: string | undefined;
    while (true) {
      signal?.throwIfAborted();
      const beganMs = clock.monotonicMs();
      const tried = await this.#try(this.#renewDeadlineMs, signal, (limited) => this.#lock.take({ signal: limited }));
      if (tried?.state === 'mine') {
        onChange?.({ state: 'leading' });
        return beganMs;
      }
      if (tried?.state === 'others' && tried.holder !== holder) {
        holder = tried.holder;
        onChange?.({ state: 'standby', holder });
      }
      // A little longer by chance, so that candidates do not meet for ever.
      await clock.delay(this.#retryPeriodMs * (1 + 0.2 * random()), { signal });
    }
  }

  /** Renews until told to end. Returns why it could not. */
  async renew(held: Held, over: AbortSignal): Promise<ProblemError | undefined> {
    const { clock, onChange } = this.#options;
    let why = 'it was not renewed in time';
    let cause: unknown;
    try {
      while (this.isFresh(held)) {
        await clock.delay(Math.min(this.#retryPeriodMs, this.#leftMs(held.sinceMs)), { signal: over });
        if (!this.isFresh(held)) break;
        const beganMs = clock.monotonicMs();
        const tried = await this.#try(this.#leftMs(held.sinceMs), over, (signal) => this.#lock.renew({ signal }));
        if (tried?.state === 'mine') held.sinceMs = beganMs;
        if (tried?.state === 'others') {
          why = `${tried.holder || 'nobody'} holds it`;
          break;
        }
      }
    } catch (error) {
      if (over.aborted) return undefined;
      // Whatever it is: nobody renews any more, so nobody may lead on.
      cause = error;
    }
    onChange?.({ state: 'lost' });
    const { lease, identity } = this.#options;
    return new ProblemError('LeadershipLost', `the lease ${lease.namespace}/${lease.name} of ${identity}: ${why}`, {
      cause,
    });
  }

  /** As well as it can: when it fails, the next one waits until the lease is over. */
  async release(): Promise<void> {
    const { clock, onChange } = this.#options;
    try {
      await withTimeLimit((signal) => this.#lock.release({ signal }), { clock, limitMs: this.#retryPeriodMs });
      onChange?.({ state: 'released' });
    } catch (error) {
      onChange?.({ state: 'failing', error });
    }
  }

  /** Undefined when it failed or took too long. */
  async #try<R>(
    limitMs: number,
    signal: AbortSignal | undefined,
    act: (signal: AbortSignal) => Promise<R>,
  ): Promise<R | undefined> {
    try {
      return await withTimeLimit(act, { clock: this.#options.clock, limitMs, signal });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof ProblemError)) throw error;
      this.#options.onChange?.({ state: 'failing', error });
      return undefined;
    }
  }

  #leftMs(sinceMs: number): number {
    return this.#renewDeadlineMs - (this.#options.clock.monotonicMs() - sinceMs);
  }
}
