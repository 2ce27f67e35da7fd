import { describe, expect, test } from 'vitest';
import { type ConfigMap, configMapKind } from '../api/core-kinds.ts';
import type { OwnerReference } from '../domain/kubernetes-object.ts';
import { ProblemError } from '../domain/problems.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { byLabel, byOwner, Informer, type InformerChange } from './informer.ts';

const ref = (name: string) => ({ namespace: 'a', name });
const owner = (uid: string): OwnerReference => ({ apiVersion: 'v1', kind: 'Unserved', name: uid, uid });
function configMap(name: string, colour: string, metadata: Partial<ConfigMap['metadata']> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...ref(name), ...metadata }, data: { colour } };
}

function start(objects: readonly ConfigMap[] = []) {
  const clock = new ManualClock();
  const cluster = new MemoryCluster({ clock });
  const controller = new AbortController();
  const informer = new Informer({
    cluster,
    kind: configMapKind,
    project: ({ data }) => data?.colour ?? '',
    indices: { owner: byOwner, app: byLabel('app') },
  });
  const changes: InformerChange<string>[] = [];
  informer.onChange((change) => changes.push(change));
  const begin = async () => {
    for (const object of objects) await cluster.create(configMapKind, object);
    const running = informer.run({ signal: controller.signal });
    running.catch(() => {});
    await informer.synced;
    // Not the promise itself, which would be waited for.
    return { running };
  };
  return { clock, cluster, informer, changes, begin, stop: (reason: Error) => controller.abort(reason) };
}

describe('Informer', () => {
  test('has everything once it is synced, and keeps only what was projected', async () => {
    const { informer, begin } = start([configMap('x', 'red'), configMap('y', 'blue')]);
    expect([informer.isSynced, informer.size]).toEqual([false, 0]);
    await begin();
    expect(informer.isSynced).toBe(true);
    expect(informer.get(ref('x'))).toBe('red');
    expect(informer.get(ref('nobody'))).toBeUndefined();
    expect([...informer.list()].sort()).toEqual(['blue', 'red']);
  });

  test('follows changes and tells each with what was there before', async () => {
    const { cluster, informer, begin, changes } = start([configMap('x', 'red')]);
    await begin();
    await cluster.patch(configMapKind, ref('x'), { data: { colour: 'green' } });
    await cluster.delete(configMapKind, ref('x'));
    await settle();
    expect(changes).toEqual([
      { ref: ref('x'), before: undefined, after: 'red' },
      { ref: ref('x'), before: 'red', after: 'green' },
      { ref: ref('x'), before: 'green', after: undefined },
    ]);
    expect([informer.size, informer.get(ref('x'))]).toEqual([0, undefined]);
  });

  test('finds by owner and by label, also after they changed', async () => {
    const { cluster, informer, begin } = start([
      configMap('x', 'red', { ownerReferences: [owner('u1'), owner('u2')], labels: { app: 'one' } }),
      configMap('y', 'blue', { ownerReferences: [owner('u1')], labels: { app: 'two' } }),
      configMap('z', 'green'),
    ]);
    await begin();
    expect(informer.find('owner', 'u1').sort()).toEqual(['blue', 'red']);
    expect(informer.find('owner', 'u2')).toEqual(['red']);
    expect(informer.find('app', 'one')).toEqual(['red']);
    await cluster.patch(configMapKind, ref('x'), { metadata: { labels: { app: 'two' } } });
    await cluster.delete(configMapKind, ref('y'));
    await settle();
    expect(informer.find('app', 'one')).toEqual([]);
    expect(informer.find('app', 'two')).toEqual(['red']);
    expect(informer.find('owner', 'u1')).toEqual(['red']);
    expect(() => informer.find('colour', 'red')).toThrow('no index colour');
  });

  test('is right after a time without connection in which things vanished and came again', async () => {
    const { cluster, clock, informer, begin, changes } = start([configMap('x', 'red'), configMap('y', 'blue')]);
    await begin();
    cluster.failNext({ verb: 'watch' }, new ProblemError('ClusterUnreachable', 'cut'));
    cluster.disconnectWatches();
    await settle();
    await cluster.delete(configMapKind, ref('x'));
    await cluster.delete(configMapKind, ref('y'));
    await cluster.create(configMapKind, configMap('y', 'white', { labels: { app: 'new' } }));
    cluster.compact();
    await clock.advance(1_000);
    expect([...informer.list()]).toEqual(['white']);
    expect(informer.find('app', 'new')).toEqual(['white']);
    expect(changes.slice(2)).toHaveLength(3);
  });

  test('a listener that is not interested any more hears nothing', async () => {
    const { cluster, informer, begin } = start();
    await begin();
    let heard = 0;
    const stop = informer.onChange(() => {
      heard += 1;
    });
    await cluster.create(configMapKind, configMap('x', 'red'));
    await settle();
    stop();
    await cluster.create(configMapKind, configMap('y', 'red'));
    await settle();
    expect(heard).toBe(1);
  });

  test('ends with the reason of its signal', async () => {
    const { begin, stop } = start();
    const { running } = await begin();
    stop(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });

  test('what ends the watch is thrown to who runs it and to who waits for it', async () => {
    const { cluster, informer } = start();
    cluster.failNext({ verb: 'watch' }, new ProblemError('ClusterForbidden', 'no'));
    const running = informer.run({});
    await expect(informer.synced).rejects.toMatchObject({ code: 'ClusterForbidden' });
    await expect(running).rejects.toMatchObject({ code: 'ClusterForbidden' });
  });
});
