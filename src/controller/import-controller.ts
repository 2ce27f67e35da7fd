import { IMPORT_UID_LABEL } from '../api/literals.ts';
import type { TransferOutcome } from '../api/transfer-protocol.ts';
import type { ObjectRef } from '../domain/kubernetes-object.ts';
import type { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import { WorkQueue, type WorkQueueHooks } from '../lib/work-queue.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';
import type { Log } from '../ports/log.ts';
import type { SourceAdapter } from '../ports/source-adapter.ts';
import { ImportDesk } from './import-desk.ts';
import { ImportChanges } from './machine-import/import-changes.ts';
import type { ImportSummary } from './machine-import/import-summary.ts';
import type { EventSink, ImageSettings, ImportParts, UploadSettings } from './machine-import/import-world.ts';
import { namesOf } from './machine-import/names.ts';
import type { WorkerSettings } from './machine-import/objects/transfer-job.ts';
import { diskOf, mayWrite } from './machine-import/observe/observe-transfer.ts';
import { isOvertaken, reconcileImport } from './machine-import/reconcile.ts';
import { TransferStore } from './machine-import/transfers/transfer-store.ts';
import { isForPeople, tellFailure } from './tell-failure.ts';
import { type RunningTransfer, type TransferLimits, TransferPlaces } from './transfer-slots.ts';
import { WatchedObjects } from './watch-objects.ts';

export interface ImportControllerOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly adapters: readonly SourceAdapter[];
  readonly events: EventSink;
  readonly worker: WorkerSettings;
  readonly airliftVersion: string;
  /** Absent where no images are served. */
  readonly images?: ImageSettings | undefined;
  /** Absent where nothing is sent to CDI. */
  readonly uploads?: UploadSettings | undefined;
  readonly limits: TransferLimits;
  /** Of the endpoint that workers talk to, as it is now. */
  readonly endpointCa: () => string;
  /** Imports looked at at once; a slow source holds up one of these. */
  readonly concurrency?: number;
  readonly hooks?: WorkQueueHooks | undefined;
  readonly onWatchRetry?: ((kind: string) => void) | undefined;
  /** A worker has told how its run ended, and that is stored. */
  readonly onOutcome?: ((outcome: TransferOutcome, summary: ImportSummary) => void) | undefined;
}

/** Progress is written to the status no more often than this; milestones are written at once. */
const PROGRESS_MS = 5_000;
const CONCURRENCY = 8;
/** An API server that starts refuses for moments what it allows otherwise. */
const PATIENCE_MS = 5_000;

/** Looks after all imports of the cluster: watches what changes, takes one step of one import at a time, many imports at once. */
export class ImportController {
  readonly parts: ImportParts;
  readonly desk: ImportDesk;
  readonly objects: WatchedObjects;
  readonly #options: ImportControllerOptions;
  readonly #queue: WorkQueue;
  readonly #places: TransferPlaces;
  /** Imports whose workers have told something. */
  readonly #news = new Set<string>();
  /** When sources have come to be ready, by their names as imports have them. */
  readonly #readyAt = new Map<string, number>();
  /** Since when the cluster refuses what a step of an import needs. */
  readonly #refusedSinceMs = new Map<string, number>();
  #signal: AbortSignal | undefined;

  constructor(options: ImportControllerOptions) {
    this.#options = options;
    const { cluster, clock, random, log, adapters, events, worker, airliftVersion, images, limits, endpointCa, hooks } =
      options;
    this.objects = new WatchedObjects({
      cluster,
      onImport: (ref) => {
        this.#queue.add(keyOf(ref));
        this.parts.changes.tell(ref);
      },
      onTransferMoved: () => this.#places.wakeWaiting(),
      onRetry: (kind, problem, afterMs) => {
        log.warn('watch is tried again', { kind, problem, afterMs });
        options.onWatchRetry?.(kind);
      },
    });
    this.#places = new TransferPlaces({
      limits,
      running: () => this.#running(),
      now: () => clock.monotonicMs(),
      wake: (key) => this.#queue.add(key),
    });
    this.parts = {
      cluster,
      clock,
      adapters: new Map(adapters.map((each) => [each.resource.kind.toLowerCase(), each])),
      objects: this.objects,
      transfers: new TransferStore(cluster, endpointCa),
      slots: this.#places,
      sourceReadyAt: (uid) => this.#readyAt.get(this.objects.importOf(uid)?.source ?? ''),
      events,
      changes: new ImportChanges(),
      live: new Map(),
      preflights: new Map(),
      worker,
      airliftVersion,
      images,
      uploads: options.uploads,
    };
    this.desk = new ImportDesk({
      parts: this.parts,
      importOf: (uid) => this.objects.importOf(uid),
      isSynced: () => this.objects.isSynced,
      onOutcome: options.onOutcome,
      onNews: ({ namespace, name }, isMilestone) => {
        const key = keyOf({ namespace, name });
        if (isMilestone) this.#queue.add(key);
        else this.#news.add(key);
      },
    });
    this.#queue = new WorkQueue({
      process: (key) => this.#step(key),
      concurrency: options.concurrency ?? CONCURRENCY,
      clock,
      random,
      onError: (key, error, failures) =>
        log.error('import could not be looked at', { machineImport: key, error, failures }),
      hooks,
    });
  }

  /**
   * Works until aborted, then lets what was begun end: no write is cut off. @throws what ends a watch for good
   */
  async run({ signal }: CallOptions): Promise<void> {
    this.#signal = signal;
    const stop = new AbortController();
    const call = { signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]) };
    const watching = this.objects.run(call);
    const telling = this.#tellProgress(call);
    try {
      await Promise.race([watching, telling]);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    } finally {
      stop.abort(new Error('a part of the controller has ended'));
      this.parts.changes.stop();
      await this.#queue.drain();
      await Promise.allSettled([watching, telling]);
    }
  }

  /** A source has come to be ready: what imports from it were told before does not hold any more (W11). */
  lookAgain({ kind, namespace = '', name }: ObjectRef & { readonly kind: string }): void {
    const source = `${kind.toLowerCase()}/${namespace}/${name}`;
    this.#readyAt.set(source, this.#options.clock.now());
    for (const each of this.objects.imports()) {
      if (each.source !== source || each.isFinished) continue;
      if (this.parts.preflights.get(each.uid)?.plan === undefined) this.parts.preflights.delete(each.uid);
      this.#queue.add(keyOf(each));
    }
  }

  get isSynced(): boolean {
    return this.objects.isSynced;
  }

  countByPhase(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { phase } of this.objects.imports()) counts.set(phase, (counts.get(phase) ?? 0) + 1);
    return counts;
  }

  /** Those running now, and the imports that wait for a place. */
  get transfers(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running().length, waiting: this.#places.waiting };
  }

  get depth(): number {
    return this.#queue.depth;
  }

  async #step(key: string) {
    if (!this.objects.isSynced) return { afterMs: 200 };
    this.#places.forget(key);
    try {
      // Not under the signal: a step that was begun is ended, or the next controller finds half of it.
      const requeue = await reconcileImport(this.parts, refOf(key));
      this.#refusedSinceMs.delete(key);
      return requeue;
    } catch (error) {
      if (this.#signal?.aborted === true) return undefined;
      if (isOvertaken(error)) return { afterMs: 0 };
      if (isForPeople(error)) await this.#tellFailure(key, error);
      else this.#refusedSinceMs.delete(key);
      throw error;
    }
  }

  async #tellFailure(key: string, problem: ProblemError): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const sinceMs = this.#refusedSinceMs.get(key) ?? nowMs;
    this.#refusedSinceMs.set(key, sinceMs);
    if (nowMs - sinceMs < PATIENCE_MS) return;
    try {
      await tellFailure(this.parts, refOf(key), problem);
    } catch (error) {
      this.#options.log.warn('a failure could not be told', { machineImport: key, error });
    }
  }

  async #tellProgress({ signal }: CallOptions): Promise<never> {
    while (true) {
      await this.#options.clock.delay(PROGRESS_MS, { signal });
      for (const key of this.#news) this.#queue.add(key);
      this.#news.clear();
    }
  }

  /** Of Pods that may still read and write. */
  #running(): readonly RunningTransfer[] {
    return [...this.objects.allPods()].filter(mayWrite).map((pod) => {
      const uid = pod.metadata.labels?.[IMPORT_UID_LABEL] ?? '';
      const host = this.parts.preflights.get(uid)?.plan?.sourceHost;
      const isUnschedulable =
        pod.status?.conditions?.some(({ type, status }) => type === 'PodScheduled' && status === 'False') ?? false;
      return { id: namesOf(uid).transfer(diskOf(pod)), host, node: pod.spec?.nodeName, isUnschedulable };
    });
  }
}

function keyOf({ namespace = '', name }: ObjectRef): string {
  return `${namespace}/${name}`;
}

function refOf(key: string): ObjectRef {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}
