import { createHash } from 'node:crypto';
import { type Event, eventKind } from '../api/core-kinds.ts';
import type { KubernetesObject } from '../domain/kubernetes-object.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';
import { EventBudget } from './event-budget.ts';

export interface EventRecorderOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Who says it, such as `airlift-controller`. */
  readonly component: string;
  /** Which one of them: the name of the Pod. */
  readonly instance: string;
  /** Told of events that did not get to the cluster. */
  readonly onDropped?: ((event: RecordedEvent, why: unknown) => void) | undefined;
}

export interface RecordedEvent {
  readonly type: 'Normal' | 'Warning';
  /** A word in PascalCase: a problem's code, or what happened. */
  readonly reason: string;
  readonly message: string;
}

/** Limits of the API (k8s.io/kubernetes/pkg/apis/core/validation). */
const MOST_REASON = 128;
const MOST_MESSAGE = 1_024;
/** Waiting to be sent, over all objects; more are dropped. */
const MOST_WAITING = 200;

/**
 * Events of objects, as `kubectl describe` shows them. What is said again counts up the event that is there, also after a restart, because its name follows from what it says. Sent one
 * after the other in the background: recording never waits and never fails. Of one object 25 may be new at once, and then one each five minutes.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #budget: EventBudget;
  #waiting = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#budget = new EventBudget(options.clock);
  }

  record(about: KubernetesObject, event: RecordedEvent, options: CallOptions = {}): void {
    const { uid = '' } = about.metadata;
    if (this.#waiting >= MOST_WAITING || !this.#budget.take(uid)) {
      this.#options.onDropped?.(event, 'too many events');
      return;
    }
    this.#waiting += 1;
    const draft = this.#draft(about, event);
    this.#sending = this.#sending.then(async () => {
      try {
        await this.#send(draft, options);
      } catch (error) {
        this.#options.onDropped?.(event, error);
      } finally {
        this.#waiting -= 1;
      }
    });
  }

  /** Returns when everything recorded so far was sent or dropped. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #send(draft: Event, options: CallOptions): Promise<void> {
    const { cluster } = this.#options;
    const known = await cluster.get(eventKind, draft.metadata, options);
    if (known === undefined) {
      try {
        await cluster.create(eventKind, draft, options);
        return;
      } catch (error) {
        // Another replica said the same a moment ago.
        if (!isProblem(error, 'ClusterObjectExists')) throw error;
      }
    }
    const { lastTimestamp = null } = draft;
    await cluster.patch(eventKind, draft.metadata, { count: (known?.count ?? 1) + 1, lastTimestamp }, options);
  }

  #draft(about: KubernetesObject, { type, reason, message }: RecordedEvent): Event {
    const { component, instance, clock } = this.#options;
    const { name, namespace, uid = '', resourceVersion } = about.metadata;
    const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const said = createHash('sha256').update([uid, type, reason, message].join('\n')).digest('hex').slice(0, 16);
    return {
      apiVersion: eventKind.apiVersion,
      kind: eventKind.kind,
      // Of objects without a namespace they are in `default`, as everybody's are.
      metadata: { namespace: namespace ?? 'default', name: `${name.slice(0, 230).replace(/[^a-z0-9]+$/, '')}.${said}` },
      involvedObject: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        name,
        uid,
        ...(namespace === undefined ? {} : { namespace }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      type,
      reason: reason.slice(0, MOST_REASON),
      message: message.length > MOST_MESSAGE ? `${message.slice(0, MOST_MESSAGE - 3)}...` : message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
    };
  }
}
