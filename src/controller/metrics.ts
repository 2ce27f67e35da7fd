import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { TransferOutcome } from '../api/transfer-protocol.ts';
import type { WorkQueueHooks } from '../lib/work-queue.ts';

/** What gauges ask when they are read; each may be called at any time. */
export interface MetricsView {
  readonly isLeading: () => boolean;
  /** By `status.progress.phase`. */
  readonly imports: () => ReadonlyMap<string, number>;
  readonly sources: () => readonly { readonly kind: string; readonly ready: number; readonly others: number }[];
  readonly transfers: () => { readonly running: number; readonly waiting: number };
  readonly queues: () => readonly { readonly controller: string; readonly depth: number }[];
}

/** One request to the cluster's API, answered or not. */
export interface ApiAnswer {
  readonly verb: string;
  readonly resource: string;
  /** Status of the answer; undefined when there was none. */
  readonly status: number | undefined;
}

/** Seconds: a decision takes milliseconds, a source that has to be asked up to its time limit; a thousand imports created at once wait for minutes. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** All that Prometheus can ask of the controller (docs/metrics.md). */
export class ControllerMetrics {
  readonly registry = new Registry();
  readonly #waited: Histogram<'controller'>;
  readonly #took: Histogram<'controller'>;
  readonly #reconciles: Counter<'controller' | 'outcome'>;
  readonly #requests: Counter<'verb' | 'resource' | 'code'>;
  readonly #watchRestarts: Counter<'kind'>;
  readonly #problems: Counter<'code'>;
  readonly #outcomes: Counter<'outcome'>;
  readonly #bytes: Counter<'direction'>;
  #view: MetricsView | undefined;

  constructor(version: string) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    const gauge = <L extends string>(name: string, help: string, labelNames: L[], read: (set: Gauge<L>) => void) => {
      new Gauge<L>({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          read(this);
        },
      });
    };
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter<L>({ name, help, labelNames, registers });
    const histogram = (name: string, help: string) =>
      new Histogram<'controller'>({ name, help, labelNames: ['controller'], buckets: BUCKETS, registers });

    gauge('airlift_build_info', 'Always 1; its label says what runs.', ['version'], (each) => each.set({ version }, 1));
    gauge('airlift_leading', '1 while this process leads and works, else 0.', [], (each) =>
      each.set(this.#view?.isLeading() ? 1 : 0),
    );
    gauge('airlift_imports', 'VirtualMachineImports by phase.', ['phase'], (each) => {
      for (const [phase, count] of this.#view?.imports() ?? []) each.set({ phase }, count);
    });
    gauge(
      'airlift_sources',
      'Sources by kind and by whether they were ready when last looked at.',
      ['kind', 'ready'],
      (each) => {
        for (const { kind, ready, others } of this.#view?.sources() ?? []) {
          each.set({ kind, ready: 'true' }, ready);
          each.set({ kind, ready: 'false' }, others);
        }
      },
    );
    gauge('airlift_transfers_running', 'Pods that may read a source and write a volume now.', [], (each) =>
      each.set(this.#view?.transfers().running ?? 0),
    );
    gauge('airlift_transfers_waiting', 'Imports whose disks wait for a place within the limits.', [], (each) =>
      each.set(this.#view?.transfers().waiting ?? 0),
    );
    gauge('airlift_queue_depth', 'Objects that wait to be looked at.', ['controller'], (each) => {
      for (const { controller, depth } of this.#view?.queues() ?? []) each.set({ controller }, depth);
    });
    this.#waited = histogram('airlift_queue_wait_seconds', 'From when an object was due to when it was looked at.');
    this.#took = histogram('airlift_reconcile_seconds', 'Looking at an object, deciding and doing one step.');
    this.#reconciles = counter('airlift_reconciles_total', 'Looks at objects by how they ended.', [
      'controller',
      'outcome',
    ]);
    this.#requests = counter(
      'airlift_api_requests_total',
      "Requests to the cluster's API; code is the answer's status, or `none` where no answer came.",
      ['verb', 'resource', 'code'],
    );
    this.#watchRestarts = counter('airlift_watch_retries_total', 'Watches that failed and were begun again.', ['kind']);
    this.#problems = counter('airlift_problems_total', 'Problems told to users as warning events, by code.', ['code']);
    this.#outcomes = counter('airlift_transfers_total', 'Runs of transfers that workers ended, by how.', ['outcome']);
    this.#bytes = counter(
      'airlift_transfer_bytes_total',
      'Bytes of transfers that were done: read from sources, written to volumes.',
      ['direction'],
    );
  }

  /** Gauges show this from now on. */
  show(view: MetricsView): void {
    this.#view = view;
  }

  queueHooks(controller: string): WorkQueueHooks {
    return {
      began: (_key, waitedMs) => this.#waited.observe({ controller }, waitedMs / 1000),
      ended: (_key, tookMs, outcome) => {
        this.#took.observe({ controller }, tookMs / 1000);
        this.#reconciles.inc({ controller, outcome });
      },
    };
  }

  countRequest({ verb, resource, status }: ApiAnswer): void {
    this.#requests.inc({ verb, resource, code: status === undefined ? 'none' : String(status) });
  }

  countWatchRetry(kind: string): void {
    this.#watchRestarts.inc({ kind });
  }

  countProblem(code: string): void {
    this.#problems.inc({ code });
  }

  countOutcome(outcome: TransferOutcome): void {
    if ('problem' in outcome) {
      this.#outcomes.inc({ outcome: outcome.problem.code });
      return;
    }
    const { fetchedBytes, writtenBytes } = 'served' in outcome ? outcome.served : outcome.result;
    this.#outcomes.inc({ outcome: 'served' in outcome ? 'served' : 'done' });
    this.#bytes.inc({ direction: 'read' }, fetchedBytes);
    this.#bytes.inc({ direction: 'written' }, writtenBytes);
  }
}
