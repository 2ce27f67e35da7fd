import { afterEach, beforeEach, expect, test } from 'vitest';
import { secretKind } from '../../api/core-kinds.ts';
import { API_VERSION } from '../../api/literals.ts';
import { openstackSourceKind } from '../../api/openstack-source.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import { vmwareSourceKind } from '../../api/vmware-source.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { ReadSecret } from '../../ports/source-adapter.ts';
import { ManualClock } from '../../testing/manual-clock.ts';
import { MemoryCluster } from '../../testing/memory-cluster.ts';
import { MemoryLog } from '../../testing/memory-log.ts';
import { SourceController } from './source-controller.ts';

const NAMESPACE = 'vms';
let clock: ManualClock;
let cluster: MemoryCluster;
let log: MemoryLog;
let ready: string[];
let checks: string[];
let controller: SourceController;
let stop: AbortController;
let done: Promise<void>;

/** Reads a password from the Secret `login`; only the right one will do. */
const adapter = {
  resource: ovaSourceKind,
  async resolve(stored: KubernetesObject, readSecret: ReadSecret) {
    const secret = await readSecret({ namespace: NAMESPACE, name: 'login' });
    return {
      location: 'https://files.example/app.ova',
      host: 'files.example',
      secretVersion: secret?.version,
      machineRef: () => undefined,
      check: async ({ signal }: CallOptions = {}) => {
        checks.push(stored.metadata.name);
        if (stored.metadata.name === 'silent') await clock.delay(1e9, { signal });
        if (secret?.values.get('password') !== 'right') throw new ProblemError('SourceAuthRequired', 'it says 401');
      },
      open: async () => {
        throw new Error('nobody opens it to look at it');
      },
      direct: undefined,
    };
  },
};

beforeEach(() => {
  clock = new ManualClock();
  clock.ms = Date.parse('2026-11-01T10:00:00Z');
  const kinds = [ovaSourceKind, vmwareSourceKind, openstackSourceKind].map((kind) => ({ kind, hasStatus: true }));
  cluster = new MemoryCluster({ clock, kinds });
  log = new MemoryLog();
  ready = [];
  checks = [];
  stop = new AbortController();
  controller = new SourceController({
    cluster: cluster.connect('controller'),
    clock,
    random: () => 0.5,
    log,
    adapters: [adapter],
    events: { record() {} },
    onReady: ({ name }) => void ready.push(name),
  });
  done = controller.run({ signal: stop.signal });
});
afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await done;
});

async function create(kind: 'OvaSource' | 'VmwareSource', name: string): Promise<void> {
  const resource = kind === 'OvaSource' ? ovaSourceKind : vmwareSourceKind;
  await cluster.create<KubernetesObject>(resource, {
    apiVersion: API_VERSION,
    kind,
    metadata: { name, namespace: NAMESPACE },
  });
}

async function setPassword(password: string): Promise<void> {
  const data = { password: Buffer.from(password).toString('base64') };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'login', namespace: NAMESPACE }, data };
  await cluster.apply(secretKind, secret, { fieldManager: 'test', force: true });
}

const statusOf = async (name: string) =>
  (await cluster.get(ovaSourceKind, { namespace: NAMESPACE, name }))?.status?.status;

test('says of each source how it is, and counts them', async () => {
  await setPassword('right');
  await create('OvaSource', 'files');
  await create('VmwareSource', 'vcenter');
  await clock.advance(1000);
  expect(await statusOf('files')).toBe('clusterReady');
  const vcenter = await cluster.get(vmwareSourceKind, { namespace: NAMESPACE, name: 'vcenter' });
  expect(vcenter?.status).toMatchObject({
    status: 'clusterNotReady',
    check: { reason: 'ImportSourceUnsupported', message: expect.stringContaining('OvaSource') },
  });
  expect(controller.isSynced).toBe(true);
  expect(controller.count()).toEqual([
    { kind: 'OvaSource', ready: 1, others: 0 },
    { kind: 'VmwareSource', ready: 0, others: 1 },
    { kind: 'OpenstackSource', ready: 0, others: 0 },
  ]);
});

test('notices within seconds that the Secret was corrected, and tells whoever waits for the source', async () => {
  await setPassword('wrong');
  await create('OvaSource', 'files');
  await clock.advance(120_000);
  expect(await statusOf('files')).toBe('clusterNotReady');
  expect(ready).toEqual([]);
  await setPassword('right');
  await clock.advance(16_000);
  expect(await statusOf('files')).toBe('clusterReady');
  expect(ready).toEqual(['files']);
});

test('a source that is ready is left alone for ten minutes, our own writes included', async () => {
  await setPassword('right');
  await create('OvaSource', 'files');
  await clock.advance(540_000);
  expect(checks).toEqual(['files']);
  await clock.advance(120_000);
  expect(checks).toEqual(['files', 'files']);
  expect(ready).toEqual(['files']);
});

test('a kind that may not be watched is told once and tried again, and the others are looked after meanwhile', async () => {
  const forbidden = new ProblemError('ClusterForbidden', 'may not watch vmwaresources');
  let isForbidden = true;
  const narrow = cluster.connect('narrow');
  cluster.failNext((call) => isForbidden && call.client === 'narrow' && call.kind.kind === 'VmwareSource', forbidden, {
    times: 1000,
  });
  const told: unknown[] = [];
  const other = new SourceController({
    cluster: narrow,
    clock,
    random: () => 0.5,
    log,
    adapters: [adapter],
    events: { record() {} },
    onReady() {},
    onRefusal: (problem) => void told.push(problem),
  });
  const ended = new AbortController();
  const running = other.run({ signal: ended.signal });
  await setPassword('right');
  await create('OvaSource', 'files');
  await create('VmwareSource', 'vcenter');
  await clock.advance(130_000);
  expect(other.isSynced).toBe(true);
  expect(other.count()).toMatchObject([{ ready: 1 }, { kind: 'VmwareSource', others: 0 }, {}]);
  expect(told).toEqual([forbidden]);
  isForbidden = false;
  await clock.advance(61_000);
  expect(other.count()).toMatchObject([{ ready: 1 }, { kind: 'VmwareSource', others: 1 }, {}]);
  ended.abort(new Error('the test is over'));
  await running;
});

test('one that somebody could not use is looked at at once, and from then on as one that is not ready', async () => {
  await setPassword('right');
  await create('OvaSource', 'files');
  await clock.advance(60_000);
  controller.doubt('ovasource/vms/files');
  await clock.advance(1000);
  expect(checks).toHaveLength(2);
  expect(ready).toEqual(['files']);
  await setPassword('wrong');
  controller.doubt('ovasource/vms/files');
  await clock.advance(1000);
  expect(await statusOf('files')).toBe('clusterNotReady');
  await setPassword('right');
  await clock.advance(16_000);
  expect(ready).toEqual(['files', 'files']);
});

test('one that does not answer holds up neither the others nor the end', async () => {
  await setPassword('right');
  await create('OvaSource', 'silent');
  await create('OvaSource', 'files');
  await clock.advance(1000);
  expect(await statusOf('files')).toBe('clusterReady');
  stop.abort(new Error('told to stop'));
  await done;
  expect(await statusOf('silent')).toBeUndefined();
  expect(log.lines).toEqual([]);
});

test('one that is changed is looked at at once; one that is deleted no more', async () => {
  await setPassword('right');
  await create('OvaSource', 'files');
  await clock.advance(1000);
  const ref = { namespace: NAMESPACE, name: 'files' };
  await cluster.patch(ovaSourceKind, ref, { spec: { url: 'https://other.example/app.ova' } });
  await clock.advance(100);
  expect(checks).toEqual(['files', 'files']);
  expect(ready).toEqual(['files', 'files']);
  await cluster.delete(ovaSourceKind, ref);
  await clock.advance(1_300_000);
  expect(checks).toHaveLength(2);
  expect(log.lines).toEqual([]);
});
