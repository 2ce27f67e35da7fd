import { beforeEach, describe, expect, test } from 'vitest';
import { eventKind, podKind } from '../../api/core-kinds.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { ProblemError } from '../../domain/problems.ts';
import { aClusterFor, aPod, aSource, madeBy, NAMESPACE, store, storeImport } from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { describeImport } from './describe-import.ts';

const WEB = { namespace: NAMESPACE, name: 'web01' };
let cluster: MemoryCluster;
let stored: StoredVirtualMachineImport;
beforeEach(async () => {
  cluster = aClusterFor(new FakeClock());
  stored = await storeImport(cluster, { progress: { phase: 'Transferring', percent: '42%' } });
});

async function happened(reason: string, uid: string | undefined, minute: number) {
  await store(cluster, eventKind, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: reason.toLowerCase(), namespace: NAMESPACE },
    involvedObject: { uid: uid ?? '' },
    reason,
    lastTimestamp: `2026-11-01T10:${String(minute).padStart(2, '0')}:00Z`,
  });
}

describe('describeImport', () => {
  test('gathers the import, its source, what it made, and what happened to all of them', async () => {
    await store(cluster, ovaSourceKind, aSource({ status: { status: 'clusterReady' } }));
    const pod = await store(cluster, podKind, aPod('worker', madeBy(stored.metadata.uid, 0, 1)));
    await happened('Started', stored.metadata.uid, 1);
    await happened('Unschedulable', pod.metadata.uid, 2);
    await happened('Foreign', 'of-somebody-else', 3);
    const described = await describeImport(cluster, WEB);
    expect(described).toMatchObject({
      summary: { name: 'web01', percent: '42%' },
      source: { kind: 'OvaSource', name: 'files', status: 'clusterReady' },
      objects: [{ kind: 'Pod', name: 'worker', disk: 0 }],
      unseen: [],
    });
    expect(described.events.map(({ reason }) => reason)).toEqual(['Started', 'Unschedulable']);
    expect(described.stored).toEqual(stored);
  });

  test('a source that is not there is left out', async () => {
    expect((await describeImport(cluster, WEB)).source).toBeUndefined();
  });

  test('the kind of the source counts in any case, as the controller reads it', async () => {
    await store(cluster, ovaSourceKind, aSource());
    const sourceCluster = { kind: 'ovasource', namespace: NAMESPACE, name: 'files' };
    await storeImport(cluster, { name: 'lower', spec: { sourceCluster } });
    expect((await describeImport(cluster, { ...WEB, name: 'lower' })).source?.kind).toBe('OvaSource');
  });

  test('what may not be looked at is told, and the rest is shown', async () => {
    const source = new ProblemError('ClusterForbidden', 'may not get ovasources');
    const events = new ProblemError('ClusterForbidden', 'may not list events');
    cluster.failNext({ verb: 'get', kind: 'OvaSource' }, source);
    cluster.failNext({ verb: 'list', kind: 'Event' }, events);
    const described = await describeImport(cluster, WEB);
    expect(described.summary.name).toBe('web01');
    expect(described.unseen).toEqual(expect.arrayContaining([source, events]));
  });

  test('an import that is not there is a problem', async () => {
    await expect(describeImport(cluster, { ...WEB, name: 'web02' })).rejects.toMatchObject({
      code: 'ClusterObjectMissing',
    });
  });
});
