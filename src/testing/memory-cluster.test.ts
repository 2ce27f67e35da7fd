import { describe, expect, test } from 'vitest';
import { type ConfigMap, configMapKind, podKind, tokenReviewKind } from '../api/core-kinds.ts';
import { ProblemError } from '../domain/problems.ts';
import { conditionsByType, describeCluster, widgetKind } from './cluster-compliance.ts';
import { collect } from './collect.ts';
import { followWatch } from './follow-watch.ts';
import { ManualClock, settle } from './manual-clock.ts';
import type { ClusterWrite } from './memory-cluster/call-gate.ts';
import { MemoryCluster } from './memory-cluster.ts';

const widgets = { kind: widgetKind, hasStatus: true, listKeys: conditionsByType };

describeCluster('MemoryCluster', async () => {
  const cluster = new MemoryCluster({ clock: new ManualClock(), kinds: [widgets] });
  return { cluster, other: cluster.connect('other'), namespace: 'compliance', async [Symbol.asyncDispose]() {} };
});

function configMap(name: string, colour = 'red'): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'default', name }, data: { colour } };
}
const ref = (name: string) => ({ namespace: 'default', name });
const recolour = async (cluster: MemoryCluster, name: string, colour: string) =>
  await cluster.patch(configMapKind, ref(name), { data: { colour } });
const unreachable = () => new ProblemError('ClusterUnreachable', 'cut by the test');

describe('failNext', () => {
  test('fails the calls that fit, as often as told, and does nothing of what they asked for', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock() });
    cluster.failNext({ verb: 'create', kind: 'ConfigMap', name: 'a-1' }, unreachable(), { times: 2 });
    await cluster.create(configMapKind, configMap('a-2'));
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(cluster.create(configMapKind, configMap('a-1'))).rejects.toMatchObject({
        code: 'ClusterUnreachable',
      });
      expect(await cluster.get(configMapKind, ref('a-1'))).toBeUndefined();
    }
    await cluster.create(configMapKind, configMap('a-1'));
  });

  test('can lose the answer instead of the request', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock() });
    cluster.failNext({ verb: 'create' }, unreachable(), { when: 'after' });
    await expect(cluster.create(configMapKind, configMap('a-1'))).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    expect(await cluster.get(configMapKind, ref('a-1'))).toBeDefined();
  });

  test('fits by client and by function too', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock() });
    const controller = cluster.connect('controller');
    cluster.failNext({ client: 'controller' }, unreachable());
    cluster.failNext(({ namespace }) => namespace === 'other', unreachable());
    await cluster.get(configMapKind, ref('a-1'));
    await expect(controller.get(configMapKind, ref('a-1'))).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    await expect(cluster.get(configMapKind, { namespace: 'other', name: 'a' })).rejects.toMatchObject({
      code: 'ClusterUnreachable',
    });
  });
});

describe('onWrite', () => {
  test('tells every write with its number, its client and what came of it, and nothing that failed', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock(), kinds: [widgets] });
    const controller = cluster.connect('controller');
    const writes: ClusterWrite[] = [];
    const stop = cluster.onWrite((write) => writes.push(write));
    await cluster.create(configMapKind, {
      ...configMap(''),
      metadata: { namespace: 'default', name: '', generateName: 'made-' },
    });
    await expect(controller.replace(configMapKind, configMap('a-1'))).rejects.toMatchObject({
      code: 'ClusterObjectInvalid',
    });
    await controller.apply(configMapKind, configMap('a-1'), { fieldManager: 'm' });
    await controller.apply(configMapKind, configMap('a-1'), { fieldManager: 'm' });
    await controller.get(configMapKind, ref('a-1'));
    await cluster.delete(configMapKind, ref('a-1'));
    stop();
    await cluster.create(configMapKind, configMap('a-2'));
    expect(writes.map(({ number, client, verb, isChange }) => [number, client, verb, isChange])).toEqual([
      [1, 'test', 'create', true],
      [2, 'controller', 'apply', true],
      [3, 'controller', 'apply', false],
      [4, 'test', 'delete', true],
    ]);
    expect(writes[0]?.name).toMatch(/^made-[a-z0-9]{5}$/);
    expect(writes.map(({ object }) => object?.metadata.name)).toEqual([writes[0]?.name, 'a-1', 'a-1', undefined]);
  });

  test('a client killed after a write never learns of it and does nothing more, while the write stands', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock() });
    const controller = cluster.connect('controller');
    cluster.onWrite(({ number }) => {
      if (number === 2) controller.close();
    });
    await controller.create(configMapKind, configMap('a-1'));
    await expect(controller.create(configMapKind, configMap('a-2'))).rejects.toMatchObject({
      code: 'ClusterUnreachable',
    });
    await expect(controller.create(configMapKind, configMap('a-3'))).rejects.toMatchObject({
      code: 'ClusterUnreachable',
    });
    const names = (await collect(cluster.list(configMapKind))).map((each) => each.metadata.name);
    expect(names).toEqual(['a-1', 'a-2']);
  });

  test('what a listener throws is what the writer gets', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock() });
    cluster.onWrite(() => {
      throw new Error('killed here');
    });
    await expect(cluster.create(configMapKind, configMap('a-1'))).rejects.toThrow('killed here');
    expect(await cluster.get(configMapKind, ref('a-1'))).toBeDefined();
  });
});

describe('watches that lose their connection', () => {
  test('go on where they were, and tell what happened meanwhile once', async () => {
    const clock = new ManualClock();
    const cluster = new MemoryCluster({ clock });
    await cluster.create(configMapKind, configMap('x-a'));
    const retries: unknown[] = [];
    await using watch = followWatch(cluster, configMapKind, {
      onRetry: (problem, afterMs) => retries.push([problem.message, afterMs]),
    });
    await watch.until((seen) => seen.length === 2);
    cluster.failNext({ verb: 'watch' }, unreachable(), { times: 2 });
    cluster.disconnectWatches();
    await settle();
    await recolour(cluster, 'x-a', 'blue');
    await cluster.create(configMapKind, configMap('x-b'));
    await cluster.delete(configMapKind, ref('x-b'));
    await clock.advance(1_999);
    expect(watch.seen).toEqual(['set a red', 'synced']);
    await clock.advance(1);
    expect(watch.seen).toEqual(['set a red', 'synced', 'set a blue', 'set b red', 'gone b']);
    expect(retries).toEqual([
      ['cut by the test', 1_000],
      ['cut by the test', 1_000],
    ]);
  });

  test('work out what they missed when the versions since then are forgotten', async () => {
    const clock = new ManualClock();
    const cluster = new MemoryCluster({ clock });
    for (const name of ['x-same', 'x-changed', 'x-gone', 'x-again'])
      await cluster.create(configMapKind, configMap(name));
    await using watch = followWatch(cluster, configMapKind, {});
    await watch.until((seen) => seen.includes('synced'));
    const again = watch.events.find((event) => event.type === 'set' && event.object.metadata.name === 'x-again');
    cluster.failNext({ verb: 'watch' }, unreachable());
    cluster.disconnectWatches();
    await settle();
    await recolour(cluster, 'x-changed', 'blue');
    await cluster.delete(configMapKind, ref('x-gone'));
    await cluster.delete(configMapKind, ref('x-again'));
    await cluster.create(configMapKind, configMap('x-again', 'green'));
    await cluster.create(configMapKind, configMap('x-new'));
    cluster.compact();
    await clock.advance(1_000);
    expect([...watch.seen.slice(5)].sort()).toEqual([
      'gone again',
      'gone gone',
      'set again green',
      'set changed blue',
      'set new red',
    ]);
    expect(watch.seen.indexOf('gone again')).toBeLessThan(watch.seen.indexOf('set again green'));
    const told = watch.events.find((event) => event.type === 'gone' && event.object.metadata.name === 'x-again');
    expect(told?.type === 'gone' && told.object.metadata.uid).toBe(again?.type === 'set' && again.object.metadata.uid);
  });

  test('end when what they watch is refused for a minute, not before', async () => {
    const clock = new ManualClock();
    const cluster = new MemoryCluster({ clock, kinds: [widgets] });
    const ended = collect(cluster.watch(widgetKind)).catch((error) => error.code);
    let end: unknown;
    void ended.then((code) => {
      end = code;
    });
    await settle();
    cluster.uninstall(widgetKind);
    await clock.advance(59_000);
    expect(end).toBeUndefined();
    await clock.advance(2_000);
    expect(end).toBe('ClusterKindMissing');
  });

  test('outlive a kind that is away for a moment', async () => {
    const clock = new ManualClock();
    const cluster = new MemoryCluster({ clock });
    await using watch = followWatch(cluster, configMapKind, {});
    await watch.until((seen) => seen.includes('synced'));
    cluster.uninstall(configMapKind);
    await clock.advance(10_000);
    cluster.install({ kind: configMapKind });
    await cluster.create(configMapKind, configMap('x-a'));
    await clock.advance(1_000);
    expect(watch.seen).toEqual(['synced', 'set a red']);
  });
});

describe('MemoryCluster', () => {
  test('hands out objects that nobody can change', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock() });
    const given = configMap('a-1');
    const created = await cluster.create(configMapKind, given);
    expect(() => Object.assign(created.data ?? {}, { colour: 'blue' })).toThrow(TypeError);
    Object.assign(given.data ?? {}, { colour: 'blue' });
    expect((await cluster.get(configMapKind, ref('a-1')))?.data).toEqual({ colour: 'red' });
  });

  test('collects garbage without any time passing', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock() });
    const owner = await cluster.create(configMapKind, configMap('a-1'));
    const { apiVersion, kind, metadata } = owner;
    const ownerReferences = [{ apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '' }];
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...ref('a-2'), ownerReferences },
      spec: { containers: [] },
    };
    await cluster.create(podKind, pod);
    await cluster.delete(configMapKind, ref('a-1'));
    await settle();
    expect(await cluster.get(podKind, ref('a-2'))).toBeUndefined();
  });

  test('leaves alone what is owned by a kind it does not know, or is of one', async () => {
    const cluster = new MemoryCluster({ clock: new ManualClock(), kinds: [widgets] });
    const widget = await cluster.create(widgetKind, {
      apiVersion: widgetKind.apiVersion,
      kind: 'Widget',
      metadata: ref('w'),
    });
    const { apiVersion, kind, metadata } = widget;
    const ownerReferences = [{ apiVersion, kind, name: metadata.name, uid: '00000000-0000-4000-8000-000000000000' }];
    cluster.uninstall(widgetKind);
    await cluster.create(configMapKind, { ...configMap('a-1'), metadata: { ...ref('a-1'), ownerReferences } });
    cluster.collectGarbage();
    expect(await cluster.get(configMapKind, ref('a-1'))).toBeDefined();
    cluster.install(widgets);
    cluster.collectGarbage();
    expect(await cluster.get(configMapKind, ref('a-1'))).toBeUndefined();
    expect(await cluster.get(widgetKind, ref('w'))).toEqual(widget);
  });

  test('answers requests of which nothing is stored', async () => {
    const answer = (review: object) => ({ ...review, status: { authenticated: true } }) as never;
    const cluster = new MemoryCluster({ clock: new ManualClock(), kinds: [{ kind: tokenReviewKind, answer }] });
    const { apiVersion, kind } = tokenReviewKind;
    const answered = await cluster.create(tokenReviewKind, {
      apiVersion,
      kind,
      metadata: { name: '' },
      spec: { token: 't' },
    });
    expect(answered).toMatchObject({ status: { authenticated: true } });
    expect(await collect(cluster.list(tokenReviewKind))).toEqual([]);
  });

  test('gives the same uids and names for the same seed', async () => {
    const made = async () => {
      const cluster = new MemoryCluster({ clock: new ManualClock() });
      const unnamed = { ...configMap(''), metadata: { namespace: 'default', name: '', generateName: 'x-' } };
      return (await cluster.create(configMapKind, unnamed)).metadata;
    };
    expect(await made()).toEqual(await made());
  });
});
