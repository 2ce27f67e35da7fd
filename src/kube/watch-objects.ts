import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import { type BackoffShape, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../ports/clock.ts';
import type { ClusterEvent, WatchOptions } from '../ports/cluster.ts';
import { problemOfStatus, readStatus } from './answer-problems.ts';
import type { Asked } from './asked.ts';
import { KnownObjects } from './known-objects.ts';
import { type GetPage, isExpired } from './list-objects.ts';
import { isRecord, receivedObject } from './received-object.ts';
import { RefusalGrace } from './refusal-grace.ts';

export interface WatchSource {
  readonly getPage: GetPage;
  /** The changes since a version, each as the server sends it: `{ type, object }`. Ends when the connection does. */
  readonly openStream: (version: string) => Promise<AsyncGenerator<unknown, void>>;
  readonly asked: Asked;
  readonly clock: Clock;
  readonly random: () => number;
}

const BACKOFF: BackoffShape = { firstMs: 400, capMs: 30_000 };
/** A connection that ends sooner without having told anything counts as a failure, or a server that hangs up at once would be asked without pause. */
const SOON_MS = 2_000;

/**
 * List, then follow the changes from the list's version on, and again from the last version seen after each loss of the connection. Only when the server does not know that version any
 * more (410) everything is listed again.
 */
export async function* watchObjects<T extends KubernetesObject>(
  kind: ResourceKind<T>,
  source: WatchSource,
  { signal, onRetry }: WatchOptions,
): AsyncGenerator<ClusterEvent<T>, void> {
  const { clock, random } = source;
  const known = new KnownObjects(kind);
  const grace = new RefusalGrace(clock);
  let version: string | undefined;
  let isSynced = false;
  let failures = 0;

  while (true) {
    signal?.throwIfAborted();
    let beganMs = clock.monotonicMs();
    let isUseful = false;
    let problem: ProblemError | undefined;
    try {
      if (version === undefined) {
        known.beginRound();
        let token: string | undefined;
        let listed: string;
        do {
          const page = await source.getPage(token);
          for (const item of page.items) yield* known.set(receivedObject(kind, item));
          listed = page.version;
          token = page.next;
        } while (token !== undefined);
        yield* known.endRound();
        version = listed;
        grace.worked();
        if (!isSynced) yield { type: 'synced' };
        isSynced = true;
        beganMs = clock.monotonicMs();
      }
      const stream = await source.openStream(version);
      grace.worked();
      for await (const sent of stream) {
        const { type, object } = receivedEvent(kind, sent, source.asked);
        isUseful = true;
        if (type === 'DELETED') yield* known.gone(object);
        else if (type !== 'BOOKMARK') yield* known.set(object);
        // After it was told: who leaves in between has not seen it.
        version = object.metadata.resourceVersion ?? version;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof ProblemError) || grace.isFinal(error)) throw error;
      // A server sends no bookmarks of a kind of which nothing ever changed. Whether it is there is told by the next request.
      if (error.context.isSilence !== true) problem = error;
    }
    if (isUseful || clock.monotonicMs() - beganMs >= SOON_MS) failures = 0;
    else if (problem === undefined) failures += 1;
    // The version is too old, which is nobody's fault: list at once, unless that is what fails.
    const isFirstExpiry = isExpired(problem) && version !== undefined;
    if (isExpired(problem)) version = undefined;
    if (problem !== undefined && !isFirstExpiry) failures += 1;
    const afterMs = failures === 0 ? 0 : Math.max(backoffMs(failures, BACKOFF, random), askedMs(problem));
    if (problem !== undefined) onRetry?.(problem, afterMs);
    if (afterMs > 0) await clock.delay(afterMs, { signal });
  }
}

interface ReceivedEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

/** @throws ProblemError for the event `ERROR`, which ends a stream, and for anything that is none */
function receivedEvent<T extends KubernetesObject>(
  kind: ResourceKind<T>,
  sent: unknown,
  asked: Asked,
): ReceivedEvent<T> {
  const { type, object } = isRecord(sent) ? sent : {};
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type, object: receivedObject(kind, object) };
    case 'ERROR': {
      const status = readStatus(object);
      throw problemOfStatus(status.code ?? 500, status, asked);
    }
    default:
      throw new ProblemError('ClusterFailed', `the event stream of ${kind.plural} has something else than events`);
  }
}

function askedMs(problem: ProblemError | undefined): number {
  return Math.min(BACKOFF.capMs, Number(problem?.context.retryAfterMs ?? 0));
}
