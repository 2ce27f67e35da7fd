import type { KubernetesObject } from '../domain/kubernetes-object.ts';
import { isProblem, problems } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Cluster } from '../ports/cluster.ts';
import type { Log } from '../ports/log.ts';
import { checkInstalledKinds } from './installed-kinds.ts';
import type { SourceEvents } from './sources/reconcile-source.ts';

export interface InstalledKindsWatchOptions {
  readonly cluster: Cluster;
  readonly log: Log;
  readonly events: SourceEvents;
  /** What the events are about. */
  readonly about: KubernetesObject;
}

/** Asks whether the cluster has our kinds as they are needed, and says in log and events when it has not: once for each thing that is wrong. */
export class InstalledKindsWatch {
  readonly #options: InstalledKindsWatchOptions;
  #problem: string | undefined;
  #hasToldUnseen = false;

  constructor(options: InstalledKindsWatchOptions) {
    this.#options = options;
  }

  /** Why nothing can be done; undefined when the last look was fine. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /**
   * Where nobody may look at definitions they count as right.
   * @throws the signal's reason
   */
  async areRight(options: CallOptions = {}): Promise<boolean> {
    const { cluster, log } = this.#options;
    try {
      const { wrong, isUnseen } = await checkInstalledKinds(cluster, options);
      if (isUnseen && !this.#hasToldUnseen) log.warn('not allowed to look at the definitions of our kinds');
      this.#hasToldUnseen = isUnseen;
      if (wrong !== this.#problem && wrong !== undefined) this.#tell(wrong);
      this.#problem = wrong;
    } catch (error) {
      if (!isProblem(error) || options.signal?.aborted === true) throw error;
      log.warn('cannot look at the definitions of our kinds', { error });
      this.#problem = error.message;
    }
    return this.#problem === undefined;
  }

  #tell(wrong: string): void {
    const { log, events, about } = this.#options;
    const { remedy } = problems.KindsOutdated;
    log.error('the definitions of our kinds are not those that are needed; nothing is done until they are', {
      code: 'KindsOutdated',
      wrong,
      remedy,
    });
    events.record(about, { type: 'Warning', reason: 'KindsOutdated', message: `${wrong}. ${remedy}` });
  }
}
