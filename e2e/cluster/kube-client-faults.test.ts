import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConfigMap, configMapKind, namespaceKind, secretKind } from '../../src/api/core-kinds.ts';
import { ApiConnection } from '../../src/kube/api-connection.ts';
import { Informer } from '../../src/kube/informer.ts';
import { KubeCluster } from '../../src/kube/kube-cluster.ts';
import { loadAccess } from '../../src/kube/load-access.ts';
import { systemClock } from '../../src/main/system-clock.ts';
import { startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { eventually, inParallel } from '../../src/testing/cluster-compliance/compliance-case.ts';
import { collect } from '../../src/testing/collect.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { followWatch } from '../../src/testing/follow-watch.ts';
import { heapAfterCollection } from '../../src/testing/heap.ts';
import { compactEtcd } from './etcd.ts';

let testCluster: TestCluster;
let proxy: FaultProxy;
/** Past the proxy: what the test itself writes. */
let direct: KubeCluster;
const namespace = 'default';
let count = 0;

beforeAll(async () => {
  testCluster = await startCluster();
  proxy = await FaultProxy.start(new URL(testCluster.server));
  direct = await connect({});
});
afterAll(async () => {
  await direct?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await testCluster?.[Symbol.asyncDispose]();
});

async function connect({
  kubeconfig = testCluster.admin.kubeconfigPath,
  port = 0,
  idleMs = 90_000,
  answerMs = 30_000,
}) {
  const access = await loadAccess({ clock: systemClock, kubeconfig });
  const server = new URL(access.server);
  if (port !== 0) server.port = String(port);
  const connection = new ApiConnection({ ...access, server }, { clock: systemClock, answerMs });
  return new KubeCluster(connection, { random: Math.random, idleMs });
}

function fresh() {
  count += 1;
  const labels = { test: `t${count}` };
  const ref = (suffix: string) => ({ namespace, name: `t${count}-${suffix}` });
  const configMap = (suffix: string): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...ref(suffix), labels },
    data: { colour: 'red' },
  });
  return {
    labels,
    create: async (suffix: string) => await direct.create(configMapKind, configMap(suffix)),
    recolour: async (suffix: string, colour: string) =>
      await direct.patch(configMapKind, ref(suffix), { data: { colour } }),
    remove: async (suffix: string) => await direct.delete(configMapKind, ref(suffix)),
  };
}

describe('a watch of a real API server', () => {
  test('goes on after its connection was cut, again and again, without a doubled or a missing change', async () => {
    const { labels, create, recolour } = fresh();
    await using cluster = await connect({ port: proxy.port });
    await create('a');
    await using watch = followWatch(cluster, configMapKind, { namespace, labels });
    await watch.until((seen) => seen.includes('synced'));
    const colours = Array.from({ length: 10 }, (_, index) => `c${index}`);
    for (const colour of colours) {
      proxy.cut();
      await recolour('a', colour);
      await watch.until((seen) => seen.includes(`set a ${colour}`));
    }
    expect(proxy.accepted).toBeGreaterThan(10);
    expect(watch.seen).toEqual(['set a red', 'synced', ...colours.map((colour) => `set a ${colour}`)]);
  });

  test('notices a connection that is open on both sides and dead between', async () => {
    const { labels, create, recolour } = fresh();
    await using cluster = await connect({ port: proxy.port, idleMs: 2_000, answerMs: 2_000 });
    await create('a');
    await using watch = followWatch(cluster, configMapKind, { namespace, labels });
    await watch.until((seen) => seen.includes('synced'));
    await sleep(500); // the stream is opened after the list was told
    proxy.freeze();
    const beganMs = performance.now();
    await recolour('a', 'blue');
    await watch.until((seen) => seen.includes('set a blue'));
    expect(watch.seen).toEqual(['set a red', 'synced', 'set a blue']);
    // Nothing passed on the frozen one.
    expect(performance.now() - beganMs).toBeGreaterThan(1_000);
  });

  test('outlives the API server: killed, away, started again, with changes right after', async () => {
    const { labels, create, recolour, remove } = fresh();
    await using cluster = await connect({});
    for (const suffix of ['same', 'changed', 'gone']) await create(suffix);
    const retries: string[] = [];
    const onRetry = (problem: Error) => retries.push(problem.message);
    await using watch = followWatch(cluster, configMapKind, { namespace, labels, onRetry });
    await watch.until((seen) => seen.includes('synced'));
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await testCluster.stopApiServer(signal);
      await sleep(1_500);
      await testCluster.startApiServer();
    }
    await recolour('changed', 'blue');
    await remove('gone');
    await create('new');
    await watch.until((seen) => seen.length === 7);
    // Told one by one, or by a new list, which says last what is gone.
    expect(watch.seen.slice(4).toSorted()).toEqual(['gone gone', 'set changed blue', 'set new red']);
    expect(retries.length).toBeGreaterThan(0);
  });

  test('looks at everything again when the server has forgotten where it was', async () => {
    const { labels, create, recolour, remove } = fresh();
    await using cluster = await connect({ port: proxy.port });
    for (const suffix of ['same', 'changed', 'gone', 'again']) await create(suffix);
    const retries: string[] = [];
    const onRetry = (problem: Error) => retries.push(problem.message);
    await using watch = followWatch(cluster, configMapKind, { namespace, labels, onRetry });
    await watch.until((seen) => seen.includes('synced'));
    proxy.refuses = true;
    proxy.cut();
    await recolour('changed', 'blue');
    await remove('gone');
    await remove('again');
    await create('again');
    // A started server has its watch cache from now on only, and etcd forgets what was before.
    await testCluster.stopApiServer('SIGKILL');
    await compactEtcd(testCluster.folder);
    await testCluster.startApiServer();
    proxy.refuses = false;
    await watch.until((seen) => seen.length === 9);
    expect(retries.join()).toContain('status 410');
    expect(watch.seen.slice(5).toSorted()).toEqual(['gone again', 'gone gone', 'set again red', 'set changed blue']);
    await recolour('changed', 'green');
    await watch.until((seen) => seen.includes('set changed green'));
  });
});

describe('requests to a real API server', () => {
  test('are repeated while it is away for a moment', async () => {
    const { labels, create } = fresh();
    await create('a');
    await testCluster.stopApiServer('SIGKILL');
    const listed = collect(direct.list(configMapKind, { namespace, labels }));
    const started = testCluster.startApiServer();
    expect((await listed).length).toBe(1);
    await started;
  });

  test('end in time when nothing answers', async () => {
    await using cluster = await connect({ port: proxy.port, answerMs: 500 });
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: 'x' } };
    await cluster.get(configMapKind, { namespace, name: 'x' });
    proxy.freeze();
    proxy.isSilent = true;
    const beganMs = performance.now();
    await expect(cluster.create(secretKind, secret)).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    expect(performance.now() - beganMs).toBeLessThan(15_000);
    proxy.cut();
    proxy.isSilent = false;
    expect(await cluster.get(secretKind, secret.metadata)).toBeUndefined();
  });

  test('without rights name the user, the verb, the resource and the namespace, and the command shows it', async () => {
    const user = await testCluster.createUser('jane');
    await using cluster = await connect({ kubeconfig: user.kubeconfigPath });
    const error = await collect(cluster.list(secretKind, { namespace: 'web' })).catch((each) => each);
    expect(error).toMatchObject({
      code: 'ClusterForbidden',
      message:
        'jane may not list secrets in namespace web; check with: kubectl auth can-i list secrets --namespace web --as jane',
    });
    await expect(collect(cluster.watch(secretKind))).rejects.toMatchObject({ code: 'ClusterForbidden' });
    await expect(cluster.patch(configMapKind, { namespace: 'web', name: 'x' }, {})).rejects.toMatchObject({
      message: expect.stringContaining('jane may not patch configmaps in namespace web'),
    });
  });

  test('by nobody are refused as such', async () => {
    const access = await loadAccess({ clock: systemClock, kubeconfig: testCluster.admin.kubeconfigPath });
    const identity = { current: async () => ({ headers: { authorization: 'Bearer wrong' } }), refuse: () => false };
    await using cluster = new KubeCluster(new ApiConnection({ ...access, identity }, { clock: systemClock }), {
      random: Math.random,
    });
    await expect(cluster.get(configMapKind, { namespace, name: 'x' })).rejects.toMatchObject({
      code: 'ClusterUnauthorized',
    });
  });

  test('that quota forbids, or a namespace that is not there, are told apart from missing rights', async () => {
    await testCluster.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'small' } },
      {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { namespace: 'small', name: 'none' },
        spec: { hard: { secrets: '0' } },
      },
    ]);
    const secret = (where: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: where, name: 'x' } });
    const refused = async () =>
      await direct
        .create(secretKind, secret('small'))
        .then(() => direct.delete(secretKind, secret('small').metadata))
        .catch((each) => each);
    // The quota counts from when its controller has looked at it.
    const error = await eventually(
      refused,
      (value) => value instanceof Error && 'code' in value && value.code === 'ClusterQuotaExceeded',
    );
    expect(error).toMatchObject({
      code: 'ClusterQuotaExceeded',
      message: expect.stringContaining('exceeded quota: none'),
    });
    await expect(direct.create(secretKind, secret('nowhere'))).rejects.toMatchObject({
      code: 'ClusterObjectMissing',
      message: 'namespaces nowhere is not there',
    });
    await direct.delete(namespaceKind, { name: 'small' });
  });

  test('of a list that outlives its snapshot give every object once', async () => {
    const { labels, create } = fresh();
    const suffixes = Array.from({ length: 250 }, (_, index) => `n${index}`);
    await inParallel(10, suffixes, create);
    const names: string[] = [];
    for await (const object of direct.list(configMapKind, { namespace, labels })) {
      names.push(object.metadata.name);
      if (names.length !== 50) continue;
      await create('zlater');
      await testCluster.stopApiServer('SIGKILL');
      await compactEtcd(testCluster.folder);
      await testCluster.startApiServer();
    }
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBe(251);
    // Which was not in the snapshot: so that was really left.
    expect(names.at(-1)).toMatch(/zlater$/);
  });
});

test('ten thousand objects take little memory when little is kept of each', async () => {
  const labels = { test: 'many' };
  const content = 'x'.repeat(5_000);
  const many = Array.from({ length: 10_000 }, (_, index) => index);
  await inParallel(20, many, async (index) => {
    const metadata = { namespace, name: `many-${index}`, labels };
    await direct.create(configMapKind, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { content } });
  });
  const informer = new Informer({
    cluster: direct,
    kind: configMapKind,
    namespace,
    labels,
    project: ({ metadata }) => metadata.uid,
  });
  const controller = new AbortController();
  const before = heapAfterCollection();
  const beganMs = performance.now();
  const running = informer.run({ signal: controller.signal });
  running.catch(() => {});
  await informer.synced;
  const keptBytes = heapAfterCollection() - before;
  console.log(
    `10,000 objects of 5 KB: synced in ${Math.round(performance.now() - beganMs)} ms, ${Math.round(keptBytes / 10_000)} bytes kept of each`,
  );
  expect(informer.size).toBe(10_000);
  expect(keptBytes).toBeLessThan(10_000 * 1_000);
  controller.abort(new Error('the test is over'));
  await expect(running).rejects.toThrow('the test is over');
});
