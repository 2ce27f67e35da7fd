import { isProblem, type ProblemError } from '../domain/problems.ts';
import { type LeadershipChange, leadWhileElected } from '../kube/leader-election.ts';
import { EventRecorder, type RecordedEvent } from '../kube/record-event.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { ControllerParts } from './controller-parts.ts';
import { HealthServer } from './health-server.ts';
import { InstalledKindsWatch } from './installed-kinds-watch.ts';
import { OldControllerWatch } from './old-controller-watch.ts';
import type { ControllerSettings } from './settings.ts';
import { WorkingController, type WorkingOptions } from './working-controller.ts';

/**
 * The controller: says how it is, waits until it leads and until the controller that it replaces is gone, works, and stops cleanly when told to.
 * @throws ProblemError `LeadershipLost`, `HealthPortUnusable`, and what ends a watch for good
 */
export async function runController(
  parts: ControllerParts,
  settings: ControllerSettings,
  options: CallOptions = {},
): Promise<void> {
  const { cluster, clock, random, log, metrics } = parts;
  const lease = { namespace: settings.namespace, name: settings.leaseName };
  const term = new Term(parts, settings);
  await using health = await HealthServer.start({
    port: settings.healthPort,
    host: settings.endpoint.host,
    whyNotReady: () => term.whyNotReady(),
    readMetrics: async () => ({ contentType: metrics.registry.contentType, text: await metrics.registry.metrics() }),
  });
  metrics.show({
    isLeading: () => term.working !== undefined,
    imports: () => term.working?.imports.countByPhase() ?? new Map(),
    sources: () => term.working?.sources.count() ?? [],
    transfers: () => term.working?.imports.transfers ?? { running: 0, waiting: 0 },
    queues: () => term.working?.queues ?? [],
  });
  log.info('standing by', { health: health.port });
  await leadWhileElected(
    {
      cluster,
      clock,
      random,
      lease,
      identity: settings.identity,
      onChange: (change) => term.takeNews(change),
    },
    async ({ signal }) => await term.lead({ signal }),
    options,
  );
}

/** The time of one leader. */
class Term {
  readonly #parts: ControllerParts;
  readonly #settings: ControllerSettings;
  #isElected = false;
  /** Why it is not known who leads. */
  #problem: string | undefined;
  #oldController: OldControllerWatch | undefined;
  #kinds: InstalledKindsWatch | undefined;
  /** While it works. */
  working: WorkingController | undefined;

  constructor(parts: ControllerParts, settings: ControllerSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  takeNews(change: LeadershipChange): void {
    this.#problem = 'error' in change && change.error instanceof Error ? change.error.message : undefined;
    const { log } = this.#parts;
    if (change.state === 'failing') log.warn('leadership', change);
    else log.info('leadership', change);
  }

  whyNotReady(): string | undefined {
    if (!this.#isElected) return this.#problem ?? 'another process leads, or nobody does yet';
    const { found, problem } = this.#oldController ?? {};
    if (found !== undefined) return `the old controller runs: ${found}`;
    if (this.working === undefined) return problem ?? this.#kinds?.problem ?? 'work is about to begin';
    return this.working.isSynced ? undefined : 'the watches have not told everything yet';
  }

  async lead({ signal }: CallOptions): Promise<void> {
    const { cluster, clock, log, metrics } = this.#parts;
    const { identity, namespace, leaseName, lookEveryMs: everyMs } = this.#settings;
    const recorder = new EventRecorder({
      cluster,
      clock,
      component: 'airlift-controller',
      instance: identity,
      onDropped: (event, why) => log.warn('event dropped', { reason: event.reason, why }),
    });
    const events: Pick<EventRecorder, 'record'> = {
      record: (about, event) => {
        if (event.type === 'Warning') metrics.countProblem(event.reason);
        recorder.record(about, event);
      },
    };
    const about = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name: leaseName } };
    const oldController = new OldControllerWatch({ cluster, clock, log, events, about, everyMs });
    const kinds = new InstalledKindsWatch({ cluster, log, events, about });
    const onRefusal = (problem: ProblemError) => events.record(about, warningOf(problem));
    this.#oldController = oldController;
    this.#kinds = kinds;
    this.#isElected = true;
    try {
      while (true) {
        await oldController.waitUntilGone({ signal });
        // The old controller writes its own definitions when it starts.
        if (await kinds.areRight({ signal })) await this.#work(oldController, { events, onRefusal }, { signal });
        else await clock.delay(everyMs, { signal });
      }
    } catch (error) {
      if (signal?.aborted === true) return;
      // Its log ends with the Pod; the event stays for whoever asks why.
      if (isProblem(error)) onRefusal(error);
      throw error;
    } finally {
      this.#isElected = false;
      await recorder.flush();
      log.info('stopped');
    }
  }

  /** Until told to stop, or until the old controller is back. */
  async #work(oldController: OldControllerWatch, options: WorkingOptions, { signal }: CallOptions): Promise<void> {
    const stop = new AbortController();
    const call = { signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]) };
    await using working = await WorkingController.start(this.#parts, this.#settings, options, call);
    this.working = working;
    const running = working.run(call);
    const back = oldController.waitUntilBack(call);
    try {
      await Promise.race([running, back]);
    } finally {
      this.working = undefined;
      stop.abort(new Error('this controller does not work any more'));
      await Promise.allSettled([running, back]);
    }
  }
}

function warningOf({ code, message, problem }: ProblemError): RecordedEvent {
  return { type: 'Warning', reason: code, message: `${message}. ${problem.remedy}` };
}
