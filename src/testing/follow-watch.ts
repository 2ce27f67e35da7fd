import type { ConfigMap } from '../api/core-kinds.ts';
import type { ResourceKind } from '../domain/kubernetes-object.ts';
import type { Cluster, ClusterEvent, WatchOptions } from '../ports/cluster.ts';

/** A watch that runs in the background and notes down what it is told. The suffix of a name is what follows its last hyphen. */
export interface FollowedWatch extends AsyncDisposable {
  readonly events: readonly ClusterEvent<ConfigMap>[];
  /** `set a red`, `gone a`, `synced`: suffix and colour of each. */
  readonly seen: readonly string[];
  /** What there is by what was told: colours by suffix. */
  state(): Map<string, string>;
  /** Waits for it, at most 30 s. @throws what the watch threw, or an error with what was seen instead */
  until(isSeen: (seen: readonly string[]) => boolean): Promise<void>;
}

export function followWatch(cluster: Cluster, kind: ResourceKind<ConfigMap>, options: WatchOptions): FollowedWatch {
  const controller = new AbortController();
  const events: ClusterEvent<ConfigMap>[] = [];
  const seen: string[] = [];
  let failure: unknown;
  const ended = (async () => {
    try {
      for await (const event of cluster.watch(kind, { ...options, signal: controller.signal })) {
        events.push(event);
        seen.push(describeEvent(event));
      }
    } catch (error) {
      if (!controller.signal.aborted) failure = error;
    }
  })();
  return {
    events,
    seen,
    state() {
      const state = new Map<string, string>();
      for (const each of events) {
        if (each.type === 'set') state.set(suffixOf(each.object.metadata.name), each.object.data?.colour ?? '');
        if (each.type === 'gone') state.delete(suffixOf(each.object.metadata.name));
      }
      return state;
    },
    async until(isSeen) {
      const untilMs = performance.now() + 30_000;
      while (!isSeen(seen)) {
        if (failure !== undefined) throw failure;
        if (performance.now() > untilMs) throw new Error(`seen so far: ${seen.join(', ')}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await ended;
    },
  };
}

function describeEvent(event: ClusterEvent<ConfigMap>): string {
  if (event.type === 'synced') return 'synced';
  const suffix = suffixOf(event.object.metadata.name);
  return event.type === 'set' ? `set ${suffix} ${event.object.data?.colour}` : `gone ${suffix}`;
}

function suffixOf(name: string): string {
  return name.slice(name.lastIndexOf('-') + 1);
}
