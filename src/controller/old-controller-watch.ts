import type { KubernetesObject } from '../domain/kubernetes-object.ts';
import { isProblem, problems } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';
import type { Log } from '../ports/log.ts';
import { findOldController, type OldControllerSight } from './old-controller.ts';
import type { SourceEvents } from './sources/reconcile-source.ts';

export interface OldControllerWatchOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: SourceEvents;
  /** What the events are about: the controller's own Pod or Lease. */
  readonly about: KubernetesObject;
  readonly everyMs: number;
}

/** Keeps asking whether the controller that Airlift replaces is running, and says so in log and events: once when it is found, once when it is gone. */
export class OldControllerWatch {
  readonly #options: OldControllerWatchOptions;
  #found: string | undefined;
  #problem: string | undefined;
  #unseen = '';

  constructor(options: OldControllerWatchOptions) {
    this.#options = options;
  }

  /** What was found at the last look. */
  get found(): string | undefined {
    return this.#found;
  }

  /** Why the last look did not come to anything. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Returns once it does not run. While the cluster cannot say so, it counts as running: doing nothing can be made up for.
   * @throws the signal's reason
   */
  async waitUntilGone(options: CallOptions = {}): Promise<void> {
    while (!(await this.#isGone(options))) await this.#options.clock.delay(this.#options.everyMs, options);
  }

  /**
   * Returns what was found once it runs again: whoever leads has to stop then. That the cluster cannot be asked is no reason to.
   * @throws the signal's reason
   */
  async waitUntilBack(options: CallOptions = {}): Promise<string> {
    while (true) {
      await this.#options.clock.delay(this.#options.everyMs, options);
      await this.#isGone(options);
      if (this.#found !== undefined) return this.#found;
    }
  }

  async #isGone(options: CallOptions): Promise<boolean> {
    const { cluster, log, everyMs } = this.#options;
    try {
      this.#tell(await findOldController(cluster, options));
      this.#problem = undefined;
      return this.#found === undefined;
    } catch (error) {
      if (!isProblem(error) || options.signal?.aborted === true) throw error;
      const { code, message } = error;
      this.#problem = message;
      log.warn('cannot tell whether the old controller runs', { code, detail: message, afterMs: everyMs });
      return false;
    }
  }

  #tell({ found, unseen }: OldControllerSight): void {
    const { log, events, about } = this.#options;
    const nowUnseen = unseen.join(', ');
    if (nowUnseen !== '' && nowUnseen !== this.#unseen)
      log.warn('not allowed to look for the old controller', { unseen });
    this.#unseen = nowUnseen;
    if (found === this.#found) return;
    this.#found = found;
    if (found === undefined) {
      log.info('the old controller is gone');
      events.record(about, { type: 'Normal', reason: 'OldControllerGone', message: 'Airlift takes over' });
      return;
    }
    const { remedy } = problems.OldControllerRuns;
    log.warn('the old controller runs; nothing is done until it is gone', { found, remedy });
    events.record(about, { type: 'Warning', reason: 'OldControllerRuns', message: `${found}. ${remedy}` });
  }
}
