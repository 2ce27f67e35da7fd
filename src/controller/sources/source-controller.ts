import type { KubernetesObject, ObjectRef } from '../../domain/kubernetes-object.ts';
import { isProblem, type ProblemError } from '../../domain/problems.ts';
import { Informer } from '../../kube/informer.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { type Requeue, WorkQueue, type WorkQueueHooks } from '../../lib/work-queue.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { Log } from '../../ports/log.ts';
import type { SourceAdapter } from '../../ports/source-adapter.ts';
import { isOvertaken } from '../machine-import/reconcile.ts';
import { reconcileSource, type SourceEvents, type SourceParts } from './reconcile-source.ts';
import { type SourceKindName, type SourceRef, sourceKey, sourceKinds } from './source-kinds.ts';
import { readinessOf } from './source-status.ts';

export interface SourceControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly adapters: readonly SourceAdapter[];
  readonly events: SourceEvents;
  /** What imports were told about this source may not hold any more. */
  readonly onReady: (ref: SourceRef) => void;
  readonly onWatchRetry?: ((kind: string) => void) | undefined;
  /** Sources of a kind cannot be watched, which is tried again. */
  readonly onRefusal?: ((problem: ProblemError) => void) | undefined;
  readonly hooks?: WorkQueueHooks | undefined;
}

interface KnownSource {
  readonly generation: number | undefined;
  readonly uid: string | undefined;
  readonly isReady: boolean | undefined;
}

/** A slow server holds up one of these, and nobody else. */
const CONCURRENCY = 4;
/** A right that was granted is noticed within this. */
const REFUSED_MS = 60_000;
/** A Secret that was corrected is noticed within this; reading source and Secret is all that it costs. */
const SECRET_MS = 15_000;
const KINDS = Object.keys(sourceKinds) as SourceKindName[];

/** Looks after all sources of the cluster, each kind with its own watch: one that the cluster refuses is told, and holds up no other. */
export class SourceController {
  readonly #options: SourceControllerOptions;
  readonly #parts: SourceParts;
  readonly #queue: WorkQueue;
  readonly #informers: Map<SourceKindName, Informer<KubernetesObject, KnownSource>>;
  readonly #refused = new Set<SourceKindName>();
  #signal: AbortSignal | undefined;

  constructor(options: SourceControllerOptions) {
    this.#options = options;
    const { cluster, clock, random, log, adapters, events, onReady, hooks } = options;
    this.#parts = {
      cluster,
      clock,
      random,
      adapters: new Map(adapters.map((each) => [each.resource.kind.toLowerCase(), each])),
      events,
      onReady,
      looks: new Map(),
    };
    this.#queue = new WorkQueue({
      process: (key) => this.#step(key),
      concurrency: CONCURRENCY,
      clock,
      random,
      onError: (key, error, failures) => log.error('source could not be looked at', { source: key, error, failures }),
      hooks,
    });
    this.#informers = new Map(KINDS.map((kind) => [kind, this.#watch(kind)]));
  }

  /** Works until aborted; what was begun is broken off then, a look at a source being nothing that could stay half done. @throws what ends a watch for good */
  async run({ signal }: CallOptions): Promise<void> {
    const stop = new AbortController();
    const call = { signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]) };
    this.#signal = call.signal;
    const watching = KINDS.map((kind) => this.#follow(kind, call));
    try {
      await Promise.race(watching);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    } finally {
      stop.abort(new Error('another watch has ended'));
      await Promise.allSettled(watching);
      await this.#queue.drain();
    }
  }

  /**
   * Somebody who used a source has met a problem of it: it is looked at now, whatever was found before.
   * @param source as `ovasource/vms/app`
   */
  doubt(source: string): void {
    const [kindName = '', namespace, name = ''] = source.split('/');
    const kind = KINDS.find((each) => each.toLowerCase() === kindName);
    if (kind === undefined) return;
    const key = sourceKey({ kind, namespace, name });
    const look = this.#parts.looks.get(key);
    if (look !== undefined) this.#parts.looks.set(key, { ...look, dueMs: this.#options.clock.monotonicMs() });
    this.#queue.add(key);
  }

  get depth(): number {
    return this.#queue.depth;
  }

  get isSynced(): boolean {
    return [...this.#informers].every(([kind, { isSynced }]) => isSynced || this.#refused.has(kind));
  }

  /** How many of each kind, by what was last found of them. */
  count(): readonly { readonly kind: SourceKindName; readonly ready: number; readonly others: number }[] {
    return [...this.#informers].map(([kind, informer]) => {
      const all = [...informer.list()];
      const ready = all.filter(({ isReady }) => isReady === true).length;
      return { kind, ready, others: all.length - ready };
    });
  }

  async #follow(kind: SourceKindName, options: CallOptions): Promise<never> {
    const { clock, log, onRefusal } = this.#options;
    while (true) {
      try {
        await this.#informers.get(kind)?.run(options);
      } catch (error) {
        if (options.signal?.aborted === true || !isProblem(error, 'ClusterForbidden', 'ClusterKindMissing'))
          throw error;
        log.error('sources of this kind cannot be watched', { kind, error, afterMs: REFUSED_MS });
        if (!this.#refused.has(kind)) onRefusal?.(error);
        this.#refused.add(kind);
      }
      await clock.delay(REFUSED_MS, options);
      this.#informers.set(kind, this.#watch(kind));
    }
  }

  #watch(kind: SourceKindName): Informer<KubernetesObject, KnownSource> {
    const { cluster, log, onWatchRetry } = this.#options;
    const informer = new Informer<KubernetesObject, KnownSource>({
      cluster,
      kind: sourceKinds[kind].resource,
      project: (stored) => ({
        generation: stored.metadata.generation,
        uid: stored.metadata.uid,
        isReady: readinessOf(sourceKinds[kind].read(stored).object.status),
      }),
      onRetry: (problem, afterMs) => {
        log.warn('watch is tried again', { kind, problem, afterMs });
        onWatchRetry?.(kind);
      },
    });
    informer.onChange(({ ref, before, after }) => {
      // What we wrote into its status ourselves is no reason to look.
      if (before?.uid === after?.uid && before?.generation === after?.generation) return;
      this.#queue.add(sourceKey({ ...ref, kind }));
    });
    return informer;
  }

  async #step(key: string): Promise<Requeue> {
    const ref = refOf(key);
    try {
      const requeue = await reconcileSource(this.#parts, ref, { signal: this.#signal });
      if (typeof requeue !== 'object') return requeue;
      const isReady = this.#parts.looks.get(key)?.failures === 0;
      return isReady ? requeue : { afterMs: Math.min(requeue.afterMs, SECRET_MS) };
    } catch (error) {
      if (this.#signal?.aborted === true) return undefined;
      if (isOvertaken(error)) return { afterMs: 0 };
      throw error;
    }
  }
}

function refOf(key: string): SourceRef {
  const [kind, namespace = '', name = ''] = key.split('/');
  const ref: ObjectRef = { namespace, name };
  return { ...ref, kind: kind as SourceKindName };
}
