import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import { RefusalGrace } from '../../kube/refusal-grace.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ClusterEvent, WatchOptions } from '../../ports/cluster.ts';
import type { Change, ChangeLog } from './change-log.ts';
import { isSelected } from './selectors.ts';

/** What a watch needs of the server it looks at. */
export interface WatchedServer {
  readonly clock: Clock;
  list(): KubernetesObject[];
  changes(): ChangeLog;
  /** @throws why there is no connection now */
  connect(): void;
  /** Another number whenever the connections of all watches were cut. */
  connection(): number;
}

const RETRY_MS = 1_000;

type Event = ClusterEvent<KubernetesObject>;

/** Follows the log of changes at its own pace. Where it lost its place there, it looks at everything again and works out what it missed. */
export async function* watchMemory(server: WatchedServer, options: WatchOptions): AsyncGenerator<Event, void> {
  const { signal } = options;
  const grace = new RefusalGrace(server.clock);
  const told = new ToldObjects(options);
  let isSynced = false;
  let next: number | undefined;
  let connection: number | undefined;

  while (true) {
    signal?.throwIfAborted();
    if (connection !== server.connection()) connection = await connect(server, grace, options);
    const log = server.changes();
    const change = next === undefined ? 'forgotten' : log.at(next);
    if (change === 'forgotten') {
      next = log.next;
      yield* told.compare(server.list());
      if (!isSynced) yield { type: 'synced' };
      isSynced = true;
    } else if (change === undefined) {
      await log.wait(signal);
    } else {
      next = (next ?? 0) + 1;
      yield* told.follow(change);
    }
  }
}

async function connect(server: WatchedServer, grace: RefusalGrace, { signal, onRetry }: WatchOptions): Promise<number> {
  while (true) {
    try {
      server.connect();
      grace.worked();
      return server.connection();
    } catch (error) {
      if (!(error instanceof ProblemError) || grace.isFinal(error)) throw error;
      onRetry?.(error, RETRY_MS);
      await server.clock.delay(RETRY_MS, { signal });
    }
  }
}

/** What was told of which object, and so what there is to tell. */
class ToldObjects {
  readonly #options: WatchOptions;
  readonly #told = new Map<string, KubernetesObject>();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  *compare(objects: readonly KubernetesObject[]): Generator<Event> {
    const left = new Map(this.#told);
    for (const object of objects.filter((each) => isSelected(each, this.#options))) {
      left.delete(keyOf(object));
      yield* this.#set(object);
    }
    for (const object of left.values()) yield* this.#gone(object);
  }

  *follow({ before, after, last }: Change): Generator<Event> {
    if (after !== undefined && isSelected(after, this.#options)) yield* this.#set(after);
    else if (before !== undefined) yield* this.#gone(last ?? before);
  }

  *#set(object: KubernetesObject): Generator<Event> {
    const { uid, resourceVersion } = object.metadata;
    const known = this.#told.get(keyOf(object));
    if (known?.metadata.resourceVersion === resourceVersion) return;
    this.#told.set(keyOf(object), bare(object));
    if (known !== undefined && known.metadata.uid !== uid) yield { type: 'gone', object: known };
    yield { type: 'set', object };
  }

  *#gone(object: KubernetesObject): Generator<Event> {
    if (this.#told.delete(keyOf(object))) yield { type: 'gone', object };
  }
}

function keyOf({ metadata: { namespace, name } }: KubernetesObject): string {
  return `${namespace ?? ''}/${name}`;
}

/** All that a real client would keep. */
function bare({ apiVersion, kind, metadata }: KubernetesObject): KubernetesObject {
  const { name, namespace, uid = '', resourceVersion = '' } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion },
  };
}
