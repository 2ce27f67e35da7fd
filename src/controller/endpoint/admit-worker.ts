import type { TransferRun } from '../../api/transfer-protocol.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import { refused, TokenReviews } from './token-reviews.ts';
import type { ReviewToken, TransferDesk, WorkerIdentity } from './transfer-desk.ts';

/** How long it is believed that a Pod is the worker of a run. */
const ADMITTED_MS = 30_000;
const MOST_KEPT = 2_048;

/** Lets only the worker of a transfer's current run in: whoever has another Pod's token, or is from an earlier run, stays outside (rulings 16, 17). */
export class WorkerAdmission {
  readonly #desk: TransferDesk;
  readonly #reviews: TokenReviews;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #admitted = new Map<string, number>();

  constructor(desk: TransferDesk, reviewToken: ReviewToken, clock: Pick<Clock, 'monotonicMs'>) {
    this.#desk = desk;
    this.#reviews = new TokenReviews(reviewToken, clock);
    this.#clock = clock;
  }

  /**
   * Who is asking first, then for what: nobody without a token of ours learns which transfers there are.
   * @throws ProblemError `EndpointRefused`, `TransferUnknown`, `TransferSuperseded`
   */
  async admit(run: TransferRun, authorization: string | undefined, options: CallOptions = {}): Promise<WorkerIdentity> {
    const worker = await this.#reviews.identify(authorization, options);
    const current = await this.#desk.findTransfer(run.id, options);
    if (current === undefined) throw new ProblemError('TransferUnknown', `there is no transfer ${run.id}`);
    const notIts = `Pod ${worker.namespace}/${worker.podName} is not the worker of transfer ${run.id}`;
    if (worker.namespace !== current.namespace) throw refused(notIts, 403);
    // Each of a transfer's own Pods may learn that its time is over; the Job of an earlier run may be gone already, so this comes before looking for it.
    if (run.epoch < current.epoch) {
      throw new ProblemError(
        'TransferSuperseded',
        `run ${run.epoch} is not the current one, which is ${current.epoch}`,
      );
    }
    if (run.epoch > current.epoch) throw refused(`${notIts}: run ${run.epoch} was never begun`, 403);
    if (!(await this.#isWorker(run, worker, options))) throw refused(notIts, 403);
    return worker;
  }

  async #isWorker(run: TransferRun, worker: WorkerIdentity, options: CallOptions): Promise<boolean> {
    const key = `${run.id} ${run.epoch} ${worker.podUid}`;
    const now = this.#clock.monotonicMs();
    if ((this.#admitted.get(key) ?? 0) > now) return true;
    this.#admitted.delete(key);
    if (!(await this.#desk.isWorker(run, worker, options))) return false;
    this.#admitted.set(key, now + ADMITTED_MS);
    for (const oldest of this.#admitted.keys()) {
      if (this.#admitted.size <= MOST_KEPT) break;
      this.#admitted.delete(oldest);
    }
    return true;
  }
}
