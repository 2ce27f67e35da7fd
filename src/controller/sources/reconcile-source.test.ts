import { describe, expect, test } from 'vitest';
import { secretKind } from '../../api/core-kinds.ts';
import { openstackSourceKind } from '../../api/openstack-source.ts';
import { ovaSourceKind, type StoredOvaSource } from '../../api/ova-source.ts';
import { vmwareSourceKind } from '../../api/vmware-source.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { JsonObject } from '../../ports/cluster.ts';
import type { ReadSecret, SourceAdapter } from '../../ports/source-adapter.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { MemoryCluster } from '../../testing/memory-cluster.ts';
import { reconcileSource, type SourceParts } from './reconcile-source.ts';

const ref = { kind: 'OvaSource', namespace: 'vms', name: 'app' } as const;
const API = 'migration.harvesterhci.io/v1beta1';
const START = Date.parse('2026-11-01T10:00:00Z');
const MINUTE = 60_000;

interface Event {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** A platform with one Secret, `vms/login`, whose server does what the test says. */
class Platform implements SourceAdapter {
  readonly resource = ovaSourceKind;
  checks = 0;
  problem: Error | undefined;
  beforeAnswer: (() => Promise<unknown>) | undefined;
  location = 'https://files.example/app.ova';

  async resolve(stored: KubernetesObject & { readonly spec?: object }, readSecret: ReadSecret) {
    const secret = await readSecret({ namespace: 'vms', name: 'login' });
    if (secret === undefined && 'credentials' in (stored.spec ?? {}))
      throw new ProblemError('SecretMissing', 'there is no Secret "login" in namespace "vms"');
    return {
      location: this.location,
      host: 'files.example',
      secretVersion: secret?.version,
      machineRef: () => undefined,
      check: async () => {
        this.checks += 1;
        await this.beforeAnswer?.();
        if (this.problem !== undefined) throw this.problem;
      },
      open: async () => {
        throw new Error('nobody opens it to look at it');
      },
      direct: undefined,
    };
  }
}

async function world(object: Partial<StoredOvaSource> = {}) {
  const clock = new ManualClock();
  clock.ms = START;
  const kinds = [ovaSourceKind, vmwareSourceKind, openstackSourceKind].map((kind) => ({ kind, hasStatus: true }));
  const cluster = new MemoryCluster({ clock, kinds });
  const platform = new Platform();
  const events: Event[] = [];
  let writes = 0;
  cluster.onWrite(({ client }) => {
    if (client === 'controller') writes += 1;
  });
  const parts = (): SourceParts => ({
    cluster: cluster.connect('controller'),
    clock,
    random: () => 0.999_999,
    adapters: new Map([['ovasource', platform]]),
    events: { record: (_about, event) => void events.push(event) },
    looks: new Map(),
  });
  const metadata = { namespace: 'vms', name: 'app' };
  await cluster.create(ovaSourceKind, {
    apiVersion: API,
    kind: 'OvaSource',
    metadata,
    spec: { url: platform.location },
    ...object,
  });
  if (object.status)
    await cluster.patch(ovaSourceKind, ref, { status: object.status as JsonObject }, { subresource: 'status' });
  let current = parts();
  return {
    clock,
    cluster,
    platform,
    events,
    reconcile: () => reconcileSource(current, ref),
    restart: () => {
      current = parts();
    },
    status: async () => (await cluster.get(ovaSourceKind, ref))?.status,
    writes: () => writes,
    /** Looks whenever it is time to, for so long; returns the pauses. */
    async follow(ms: number) {
      const pauses: number[] = [];
      for (const end = clock.ms + ms; clock.ms < end; ) {
        const requeue = await reconcileSource(current, ref);
        if (typeof requeue !== 'object') throw new Error(`not looked at again: ${requeue}`);
        pauses.push(Math.round(requeue.afterMs / 1000));
        clock.ms += requeue.afterMs;
      }
      return pauses;
    },
  };
}

const refused = () => new ProblemError('SourceUnreachable', 'files.example: ECONNREFUSED');

describe('the first look', () => {
  test('at a source that answers writes upstream’s words in upstream’s order, and ours', async () => {
    const { reconcile, status, events } = await world();
    expect(await reconcile()).toEqual({ afterMs: 10 * MINUTE });
    const time = '2026-11-01T10:00:00Z';
    expect(await status()).toEqual({
      status: 'clusterReady',
      conditions: [
        { type: 'ClusterReady', status: 'True', lastUpdateTime: time, lastTransitionTime: time },
        { type: 'ClusterError', status: 'False', lastUpdateTime: time, lastTransitionTime: time },
      ],
      check: { time, observedGeneration: 1, message: 'https://files.example/app.ova answers' },
    });
    expect(events).toEqual([expect.objectContaining({ type: 'Normal', reason: 'SourceReady' })]);
  });

  test('at one that does not says what is wrong and what to do', async () => {
    const { reconcile, status, platform, events } = await world();
    platform.problem = refused();
    await reconcile();
    expect(await status()).toMatchObject({
      status: 'clusterNotReady',
      conditions: [
        { type: 'ClusterError', status: 'True', reason: 'SourceUnreachable', message: 'files.example: ECONNREFUSED' },
        { type: 'ClusterReady', status: 'False' },
      ],
      check: { reason: 'SourceUnreachable', nextStep: expect.stringContaining('curl') },
    });
    expect(events).toEqual([
      expect.objectContaining({
        type: 'Warning',
        reason: 'SourceUnreachable',
        message: expect.stringContaining('curl'),
      }),
    ]);
  });

  test('without its Secret is told as well, which upstream kept to its log', async () => {
    const { reconcile, status, platform } = await world({ spec: { credentials: { name: 'login', namespace: 'vms' } } });
    await reconcile();
    expect(await status()).toMatchObject({ status: 'clusterNotReady', check: { reason: 'SecretMissing' } });
    expect(platform.checks).toBe(0);
  });

  test('at a source whose server nobody proves is a warning for as long as it is so', async () => {
    const { reconcile, status, events } = await world({ spec: { insecureSkipTLSVerify: true } });
    await reconcile();
    expect(await status()).toMatchObject({
      status: 'clusterReady',
      check: { reason: 'SourceTlsUnverified', nextStep: expect.stringContaining('Secret') },
    });
    expect(events).toMatchObject([{ type: 'Warning', reason: 'SourceTlsUnverified' }]);
    const plain = await world({ spec: { insecureSkipTLSVerify: true } });
    plain.platform.location = 'http://files.example/app.ova';
    await plain.reconcile();
    expect((await plain.status())?.check).not.toHaveProperty('reason');
  });
});

describe('W26: readiness', () => {
  test('is refreshed every ten minutes, and revoked', async () => {
    const { follow, platform, status, events } = await world();
    expect(await follow(30 * MINUTE)).toEqual([600, 600, 600]);
    platform.problem = refused();
    await follow(1);
    expect(await status()).toMatchObject({ status: 'clusterNotReady' });
    expect(events.map(({ reason }) => reason)).toEqual(['SourceReady', 'SourceUnreachable']);
  });

  test('of a source that is not there is tried with growing pauses from five seconds to five minutes', async () => {
    const { follow, platform, writes, events } = await world();
    platform.problem = refused();
    const pauses = await follow(60 * MINUTE);
    expect(pauses.slice(0, 9)).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    expect(platform.checks).toBe(pauses.length);
    // Once for what it says, and then its time, at most every ten minutes.
    expect(writes()).toBeLessThanOrEqual(1 + 6);
    expect(events).toHaveLength(1);
  });

  test('waits as long as a busy server asks for', async () => {
    const { reconcile, platform } = await world();
    platform.problem = new ProblemError('SourceBusy', 'status 503', { context: { retryAfterMs: 120_000 } });
    expect(await reconcile()).toEqual({ afterMs: 120_000 });
  });

  test('is tried at once after a change of the spec', async () => {
    const { reconcile, platform, clock, cluster, status } = await world();
    platform.problem = refused();
    await reconcile();
    clock.ms += 1_000;
    expect(await reconcile()).toEqual({ afterMs: expect.closeTo(4_000, -2) });
    expect(platform.checks).toBe(1);
    platform.problem = undefined;
    await cluster.patch(ovaSourceKind, ref, { spec: { url: 'https://files.example/other.ova' } });
    await reconcile();
    expect(platform.checks).toBe(2);
    expect(await status()).toMatchObject({ status: 'clusterReady', check: { observedGeneration: 2 } });
  });

  test('is tried at once after a change of the Secret, also while all is well', async () => {
    const { reconcile, platform, cluster, status } = await world({
      spec: { credentials: { name: 'login', namespace: 'vms' } },
    });
    await reconcile();
    const metadata = { namespace: 'vms', name: 'login' };
    await cluster.create(secretKind, { apiVersion: 'v1', kind: 'Secret', metadata, data: { password: 'b25l' } });
    await reconcile();
    expect(await status()).toMatchObject({ status: 'clusterReady', check: { secretVersion: expect.any(String) } });
    await reconcile();
    expect(platform.checks).toBe(1);
    platform.problem = new ProblemError('SourceAuthRequired', 'answered with status 401');
    await cluster.patch(secretKind, metadata, { data: { password: 'dHdv' } });
    await reconcile();
    expect(platform.checks).toBe(2);
    expect((await status())?.check).toMatchObject({ reason: 'SourceAuthRequired' });
    expect(JSON.stringify(await status())).not.toMatch(/b25l|dHdv|one|two/);
  });

  test('is not asked for by our own writes, or by any other reason to look', async () => {
    const { reconcile, platform, writes } = await world();
    for (let turn = 0; turn < 10; turn += 1) await reconcile();
    expect(platform.checks).toBe(1);
    expect(writes()).toBe(1);
  });

  test('stays as it was when the problem is another one: one event, but the new words', async () => {
    const { reconcile, platform, clock, events, status } = await world();
    platform.problem = refused();
    await reconcile();
    const [{ lastTransitionTime } = {}] = (await status())?.conditions ?? [];
    clock.ms += 5_000;
    platform.problem = new ProblemError('SourceStalled', 'nothing came');
    await reconcile();
    expect(events).toHaveLength(1);
    expect((await status())?.conditions?.[0]).toMatchObject({ reason: 'SourceStalled', lastTransitionTime });
  });

  test('recovers', async () => {
    const { reconcile, platform, clock, events, status } = await world();
    platform.problem = refused();
    await reconcile();
    clock.ms += 5_000;
    platform.problem = undefined;
    expect(await reconcile()).toEqual({ afterMs: 10 * MINUTE });
    expect(events.map(({ reason }) => reason)).toEqual(['SourceUnreachable', 'SourceReady']);
    expect(await status()).toMatchObject({
      conditions: [
        { type: 'ClusterError', status: 'False' },
        { type: 'ClusterReady', status: 'True' },
      ],
    });
    expect((await status())?.conditions?.[0]).not.toHaveProperty('reason');
    expect((await status())?.check).not.toHaveProperty('reason');
  });
});

describe('a new controller', () => {
  test('takes over an object that only has upstream’s status, without an event', async () => {
    const time = '2024-03-04T05:06:07+02:00';
    const conditions = [
      { type: 'ClusterReady', status: 'True', lastUpdateTime: time, lastTransitionTime: time },
      { type: 'ClusterError', status: 'False', lastUpdateTime: time, lastTransitionTime: time },
    ];
    const { reconcile, status, events, writes } = await world({ status: { status: 'clusterReady', conditions } });
    await reconcile();
    expect(await status()).toMatchObject({ status: 'clusterReady', conditions, check: { observedGeneration: 1 } });
    expect(events).toEqual([]);
    expect(writes()).toBe(1);
  });

  test('believes for ten minutes what an earlier one wrote, and asks no server that was asked just before', async () => {
    const { reconcile, restart, clock, platform, writes } = await world();
    await reconcile();
    clock.ms += 4 * MINUTE;
    restart();
    expect(await reconcile()).toEqual({ afterMs: 6 * MINUTE });
    expect([platform.checks, writes()]).toEqual([1, 1]);
    clock.ms += 6 * MINUTE;
    await reconcile();
    expect([platform.checks, writes()]).toEqual([2, 2]);
  });

  test('looks at once at what was not well, and writes nothing when it is still so', async () => {
    const { reconcile, restart, clock, platform, writes } = await world();
    platform.problem = refused();
    await reconcile();
    clock.ms += 1_000;
    restart();
    await reconcile();
    expect([platform.checks, writes()]).toEqual([2, 1]);
  });

  test('does not believe a word that comes from the future, or was about another Secret', async () => {
    const check = { time: '2031-01-01T00:00:00Z', observedGeneration: 1 };
    const future = await world({ status: { status: 'clusterReady', check } });
    await future.reconcile();
    expect(future.platform.checks).toBe(1);
    const other = { time: '2026-11-01T09:59:00Z', observedGeneration: 1, secretVersion: '5' };
    const changed = await world({ status: { status: 'clusterReady', check: other } });
    await changed.reconcile();
    expect(changed.platform.checks).toBe(1);
  });
});

describe('what is no answer of the source', () => {
  test('a kind that nothing here reads says so once and is left alone', async () => {
    const { cluster, clock, events } = await world();
    const metadata = { namespace: 'vms', name: 'center' };
    await cluster.create(vmwareSourceKind, { apiVersion: API, kind: 'VmwareSource', metadata });
    const parts: SourceParts = {
      cluster,
      clock,
      random: Math.random,
      adapters: new Map([['ovasource', new Platform()]]),
      events: { record: (_about, event) => void events.push(event) },
      looks: new Map(),
    };
    const center = { kind: 'VmwareSource', ...metadata } as const;
    expect(await reconcileSource(parts, center)).toBeUndefined();
    const first = await cluster.get(vmwareSourceKind, metadata);
    expect(first?.status).toMatchObject({
      status: 'clusterNotReady',
      conditions: [
        { type: 'ClusterError', status: 'True' },
        { type: 'ClusterReady', status: 'False' },
      ],
      check: { reason: 'ImportSourceUnsupported', message: expect.stringContaining('reads OvaSource') },
    });
    clock.ms += 60 * MINUTE;
    await reconcileSource(parts, center);
    expect((await cluster.get(vmwareSourceKind, metadata))?.metadata.resourceVersion).toBe(
      first?.metadata.resourceVersion,
    );
    expect(events).toHaveLength(1);
  });

  test('a source that is gone, or about to be, is not looked at', async () => {
    const { reconcile, cluster, platform } = await world();
    await cluster.delete(ovaSourceKind, ref);
    expect(await reconcile()).toBeUndefined();
    expect(platform.checks).toBe(0);
  });

  test('one that was edited during the look is looked at again, and nothing is written about what it was', async () => {
    const { reconcile, cluster, platform, status, writes } = await world();
    platform.beforeAnswer = () => cluster.patch(ovaSourceKind, ref, { spec: { url: 'https://files.example/new.ova' } });
    expect(await reconcile()).toEqual({ afterMs: 0 });
    expect(writes()).toBe(0);
    platform.beforeAnswer = undefined;
    await reconcile();
    expect((await status())?.check).toMatchObject({ observedGeneration: 2 });
  });

  test('a cluster that cannot be asked is no problem of the source', async () => {
    const { reconcile, cluster, status } = await world();
    cluster.failNext({ kind: 'Secret' }, new ProblemError('ClusterUnreachable', 'no route'));
    await expect(reconcile()).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    expect(await status()).toBeUndefined();
    cluster.failNext({ kind: 'Secret' }, new ProblemError('ClusterForbidden', 'may not get secrets in vms'));
    await reconcile();
    expect((await status())?.check).toMatchObject({ reason: 'ClusterForbidden' });
  });

  test('a mistake of ours is no word on the source', async () => {
    const { reconcile, platform, status } = await world();
    platform.problem = new TypeError('undefined is not a function');
    await expect(reconcile()).rejects.toThrow(TypeError);
    expect(await status()).toBeUndefined();
  });

  test('stored words that nobody understands do not keep it from being looked at', async () => {
    const conditions = [{ type: 'ClusterReady', status: 'True', reason: null }] as never;
    const { reconcile, status, writes } = await world({ status: { status: 'odd', conditions } });
    await reconcile();
    await reconcile();
    expect((await status())?.status).toBe('clusterReady');
    expect(writes()).toBe(1);
  });
});
