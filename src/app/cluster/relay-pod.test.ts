import { beforeEach, describe, expect, test } from 'vitest';
import { type Deployment, deploymentKind, type Pod, podKind } from '../../api/core-kinds.ts';
import { ProblemError } from '../../domain/problems.ts';
import { aClusterFor, aPod, NAMESPACE, store } from '../../testing/cluster-samples.ts';
import { ManualClock, settle } from '../../testing/manual-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { findAirliftImage, relayName, relayPod, type StartRelayOptions, startRelay } from './relay-pod.ts';

const facts = { name: 'web01', namespace: NAMESPACE, image: 'airlift:1.2.3' };
const ref = { namespace: NAMESPACE, name: 'web01-file-relay' };
let cluster: MemoryCluster;
let patience: AbortController;
beforeEach(() => {
  cluster = aClusterFor(new ManualClock());
  patience = new AbortController();
});

const start = (more: Partial<StartRelayOptions> = {}) =>
  startRelay(cluster, facts, { patience: patience.signal, ...more });
const setStatus = (status: Pod['status']) =>
  cluster.patch(podKind, ref, JSON.parse(JSON.stringify({ status })), { subresource: 'status' });
const ready = {
  phase: 'Running' as const,
  podIP: '10.0.0.7',
  containerStatuses: [{ name: 'file-relay', ready: true }],
};

describe('relayPod', () => {
  test('runs under Pod Security "restricted", and holds nothing', () => {
    const { spec } = relayPod(facts);
    const [container] = spec?.containers ?? [];
    expect(container).toMatchObject({ image: 'airlift:1.2.3', args: ['file-relay'] });
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(spec?.volumes).toBeUndefined();
  });
});

describe('startRelay', () => {
  test('makes the Pod and waits until it is ready, telling what it waits for', async () => {
    const waits: string[] = [];
    const starting = start({ onWait: (state) => waits.push(state) });
    await settle();
    expect((await cluster.get(podKind, ref))?.spec?.containers?.[0]?.image).toBe('airlift:1.2.3');
    const waiting = { reason: 'ErrImagePull', message: 'not found' };
    await setStatus({ phase: 'Pending', containerStatuses: [{ name: 'file-relay', state: { waiting } }] });
    await settle();
    await setStatus({ ...ready, containerStatuses: [{ name: 'file-relay', ready: false }] });
    await settle();
    await setStatus(ready);
    expect(await starting).toEqual({ pod: ref, address: '10.0.0.7' });
    expect(waits[0]).toBe('Pending, ErrImagePull: not found');
  });

  test('one that runs already is taken', async () => {
    await store(cluster, podKind, { ...relayPod(facts), status: ready });
    expect(await start()).toMatchObject({ address: '10.0.0.7' });
  });

  test.each(['Succeeded', 'Failed'] as const)('one that has %s makes room for a new one', async (phase) => {
    const old = await store(cluster, podKind, { ...relayPod(facts), status: { phase } });
    const starting = start();
    await settle();
    await settle();
    expect((await cluster.get(podKind, ref))?.metadata.uid).not.toBe(old.metadata.uid);
    await setStatus(ready);
    await starting;
  });

  test("somebody else's Pod of that name is left alone", async () => {
    await store(cluster, podKind, aPod(relayName('web01'), {}, { status: ready }));
    await expect(start()).rejects.toMatchObject({ code: 'ClusterObjectExists' });
    expect(await cluster.get(podKind, ref)).toBeDefined();
  });

  test('one that does not start in time says in which state it is', async () => {
    const starting = start();
    await settle();
    await setStatus({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', message: 'no node fits' }],
    });
    await settle();
    patience.abort();
    await expect(starting).rejects.toMatchObject({
      code: 'RelayNotStarted',
      message: 'Pod vms/web01-file-relay: Pending, no node fits',
    });
  });

  test('who stops waiting gets the reason', async () => {
    const stop = new AbortController();
    const starting = start({ signal: stop.signal });
    await settle();
    stop.abort(new ProblemError('Interrupted', 'stopped by Ctrl-C'));
    await expect(starting).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('who may not make Pods is told', async () => {
    cluster.failNext({ verb: 'create', kind: 'Pod' }, new ProblemError('ClusterForbidden', 'may not create pods'));
    await expect(start()).rejects.toMatchObject({ code: 'ClusterForbidden' });
  });
});

describe('findAirliftImage', () => {
  const deployment = (name: string, image: string): Deployment => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'harvester-system' },
    spec: { template: { spec: { containers: [{ name: 'controller', image }] } } },
  });

  test('is that of the installed controller', async () => {
    await store(cluster, deploymentKind, deployment('another', 'other:1'));
    await expect(findAirliftImage(cluster)).rejects.toMatchObject({ code: 'RelayImageUnknown' });
    await store(cluster, deploymentKind, deployment('harvester-vm-import-controller', 'registry.example/airlift:9'));
    expect(await findAirliftImage(cluster)).toBe('registry.example/airlift:9');
  });

  test.each([
    ['airlift', true],
    ['registry.example:5000/tools/airlift@sha256:abc', true],
    ['rancher/harvester-vm-import-controller:v0.4.1', false],
    ['registry.example/airlift/other:1', false],
    ['not-airlift:1', false],
  ])('%s is ours: %j', async (image, isOurs) => {
    await store(cluster, deploymentKind, deployment('harvester-vm-import-controller', image));
    const found = await findAirliftImage(cluster).catch(() => undefined);
    expect(found).toBe(isOurs ? image : undefined);
  });

  test('is unknown to who may not look', async () => {
    cluster.failNext(
      { verb: 'list', kind: 'Deployment' },
      new ProblemError('ClusterForbidden', 'may not list deployments'),
    );
    await expect(findAirliftImage(cluster)).rejects.toMatchObject({
      code: 'RelayImageUnknown',
      message: 'may not list deployments',
    });
  });
});
