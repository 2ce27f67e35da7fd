import { beforeEach, describe, expect, test } from 'vitest';
import { podKind } from '../../api/core-kinds.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import type { ObjectRef } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import { aClusterFor, aPod, madeBy, NAMESPACE, store, storeImport } from '../../testing/cluster-samples.ts';
import { collect } from '../../testing/collect.ts';
import { ManualClock, settle } from '../../testing/manual-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import type { PodLogOptions } from './open-cluster.ts';
import { followWorkerLogs, readWorkerLogs } from './worker-logs.ts';

let cluster: MemoryCluster;
let machineImport: StoredVirtualMachineImport;
beforeEach(async () => {
  cluster = aClusterFor(new ManualClock());
  machineImport = await storeImport(cluster);
});

const worker = (name: string, disk: number, epoch: number, phase: 'Pending' | 'Running' | 'Succeeded' = 'Succeeded') =>
  store(cluster, podKind, aPod(name, madeBy(machineImport.metadata.uid, disk, epoch), { status: { phase } }));
const setPhase = (name: string, phase: string) =>
  cluster.patch(podKind, { namespace: NAMESPACE, name }, { status: { phase } }, { subresource: 'status' });

/** Pods that print what they are told to, until they are told to end. */
class FakeLogs {
  readonly #lines = new Map<string, string[]>();
  readonly #wakers = new Set<() => void>();
  readonly #ended = new Set<string>();
  readonly failing = new Map<string, Error>();

  print(pod: string, ...lines: string[]): void {
    this.#lines.set(pod, [...(this.#lines.get(pod) ?? []), ...lines]);
    this.#wake();
  }

  end(pod: string): void {
    this.#ended.add(pod);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
    this.#wakers.clear();
  }

  async *readPodLog({ name }: ObjectRef, { follow = false, signal }: PodLogOptions = {}): AsyncGenerator<string> {
    for (let told = 0; ; ) {
      signal?.throwIfAborted();
      const failure = this.failing.get(name);
      if (failure !== undefined) throw failure;
      const lines = this.#lines.get(name) ?? [];
      for (; told < lines.length; told += 1) yield lines[told] ?? '';
      if (!follow || this.#ended.has(name)) return;
      await new Promise<void>((resolve) => {
        this.#wakers.add(resolve);
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

let logs: FakeLogs;
beforeEach(() => {
  logs = new FakeLogs();
});
const open = () => ({ cluster, readPodLog: logs.readPodLog.bind(logs) });

describe('readWorkerLogs', () => {
  test('gives the lines by disk, and of each disk the first transfer first', async () => {
    await worker('b', 1, 1);
    await worker('c', 0, 2);
    await worker('a', 0, 1);
    await store(cluster, podKind, aPod('foreign', madeBy('another', 0, 1), { status: { phase: 'Running' } }));
    for (const pod of ['a', 'b', 'c', 'foreign']) logs.print(pod, `${pod} begins`, `${pod} ends`);
    const lines = await collect(readWorkerLogs(open(), machineImport));
    expect(lines.map(({ text }) => text)).toEqual(['a begins', 'a ends', 'c begins', 'c ends', 'b begins', 'b ends']);
    expect(lines[2]).toEqual({ pod: 'c', disk: 0, epoch: 2, text: 'c begins' });
  });

  test('only of one disk, when asked', async () => {
    await worker('a', 0, 1);
    await worker('b', 1, 1);
    logs.print('a', 'of a');
    logs.print('b', 'of b');
    expect((await collect(readWorkerLogs(open(), machineImport, { disk: 1 }))).map(({ text }) => text)).toEqual([
      'of b',
    ]);
  });

  test('a Pod that has not begun is told and not asked', async () => {
    await worker('a', 0, 1, 'Pending');
    logs.failing.set('a', new ProblemError('ClusterObjectInvalid', 'the container has not begun'));
    const unstarted: string[] = [];
    const lines = await collect(readWorkerLogs(open(), machineImport, { onUnstarted: (pod) => unstarted.push(pod) }));
    expect([lines, unstarted]).toEqual([[], ['a']]);
  });
});

describe('followWorkerLogs', () => {
  test('gives lines as they come, also of Pods that come later, and ends with the last of them', async () => {
    await worker('a', 0, 1, 'Running');
    const seen: string[] = [];
    const unstarted: string[] = [];
    const over = new AbortController();
    const following = followWorkerLogs(open(), machineImport, ({ text }) => seen.push(text), {
      until: over.signal,
      onUnstarted: (pod) => unstarted.push(pod),
    });
    await settle();
    logs.print('a', 'first');
    await worker('b', 1, 1, 'Pending');
    await settle();
    expect([seen, unstarted]).toEqual([['first'], ['b']]);
    await setPhase('b', 'Running');
    logs.print('b', 'second');
    await settle();
    over.abort();
    logs.print('a', 'last words');
    logs.end('a');
    logs.end('b');
    await following;
    expect(seen).toEqual(['first', 'second', 'last words']);
  });

  test('each Pod is read once, however often it changes', async () => {
    await worker('a', 0, 1, 'Running');
    const seen: string[] = [];
    const over = new AbortController();
    const following = followWorkerLogs(open(), machineImport, ({ text }) => seen.push(text), { until: over.signal });
    await settle();
    logs.print('a', 'once');
    await setPhase('a', 'Succeeded');
    await settle();
    logs.end('a');
    over.abort();
    await following;
    expect(seen).toEqual(['once']);
  });

  test('a log that cannot be read ends it with the reason', async () => {
    await worker('a', 0, 1, 'Running');
    await worker('b', 1, 1, 'Running');
    logs.failing.set('b', new ProblemError('ClusterForbidden', 'may not get pods/log'));
    await expect(followWorkerLogs(open(), machineImport, () => {})).rejects.toMatchObject({ code: 'ClusterForbidden' });
  });

  test('whoever may not watch Pods is told', async () => {
    cluster.failNext({ verb: 'watch' }, new ProblemError('ClusterForbidden', 'may not watch pods'));
    await expect(followWorkerLogs(open(), machineImport, () => {})).rejects.toMatchObject({ code: 'ClusterForbidden' });
  });

  test('stopping it ends everything with the reason for stopping', async () => {
    await worker('a', 0, 1, 'Running');
    const stop = new AbortController();
    const following = followWorkerLogs(open(), machineImport, () => {}, { signal: stop.signal });
    await settle();
    stop.abort(new ProblemError('Interrupted', 'stopped by Ctrl-C'));
    await expect(following).rejects.toMatchObject({ code: 'Interrupted' });
  });
});
