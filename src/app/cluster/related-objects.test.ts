import { beforeEach, describe, expect, test } from 'vitest';
import { configMapKind, jobKind, persistentVolumeClaimKind, podKind } from '../../api/core-kinds.ts';
import { dataVolumeKind, virtualMachineImageKind, virtualMachineKind } from '../../api/platform-kinds.ts';
import { readVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { ProblemError } from '../../domain/problems.ts';
import {
  aClaim,
  aClusterFor,
  aJob,
  aPod,
  aVirtualMachine,
  madeBy,
  NAMESPACE,
  store,
  storeImport,
} from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { findRelatedObjects } from './related-objects.ts';

let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

async function relatedTo(stored: Awaited<ReturnType<typeof storeImport>>) {
  return await findRelatedObjects(cluster, readVirtualMachineImport(stored).object);
}

describe('findRelatedObjects', () => {
  test('finds what carries the label of the import, in the order of kinds and disks, and the machine last', async () => {
    const stored = await storeImport(cluster, { status: { importedVirtualMachineName: 'web' } });
    const { uid } = stored.metadata;
    await store(cluster, persistentVolumeClaimKind, aClaim('web-disk-1', madeBy(uid, 1)));
    await store(cluster, persistentVolumeClaimKind, aClaim('web-disk-0', madeBy(uid, 0)));
    await store(cluster, persistentVolumeClaimKind, aClaim('foreign', madeBy('another')));
    await store(cluster, jobKind, aJob('airlift-x-1-1', madeBy(uid, 1, 1)));
    await store(cluster, virtualMachineKind, aVirtualMachine('web', madeBy(uid)));
    const { objects, machine } = await relatedTo(stored);
    expect(objects.map(({ kind, name, disk }) => [kind, name, disk])).toEqual([
      ['Job', 'airlift-x-1-1', 1],
      ['PersistentVolumeClaim', 'web-disk-0', 0],
      ['PersistentVolumeClaim', 'web-disk-1', 1],
      ['VirtualMachine', 'web', undefined],
    ]);
    expect(machine?.metadata.name).toBe('web');
  });

  test("a machine of that name that somebody else made is not the import's", async () => {
    const stored = await storeImport(cluster, { status: { importedVirtualMachineName: 'web' } });
    await store(cluster, virtualMachineKind, aVirtualMachine('web', madeBy('another')));
    expect(await relatedTo(stored)).toEqual({ objects: [], machine: undefined, unseen: [] });
  });

  test('what this user may not see is told, and the rest is shown all the same', async () => {
    const stored = await storeImport(cluster);
    await store(cluster, jobKind, aJob('airlift-x-0-1', madeBy(stored.metadata.uid, 0, 1)));
    const refusal = new ProblemError('ClusterForbidden', 'may not list pods in namespace vms');
    cluster.failNext({ verb: 'list', kind: 'Pod' }, refusal);
    const { objects, unseen } = await relatedTo(stored);
    expect(objects.map(({ kind }) => kind)).toEqual(['Job']);
    expect(unseen).toEqual([refusal]);
  });

  test('a cluster without KubeVirt and Harvester has no such objects, and nothing is unknown about that', async () => {
    const stored = await storeImport(cluster, { status: { importedVirtualMachineName: 'web' } });
    cluster.uninstall(virtualMachineKind);
    cluster.uninstall(virtualMachineImageKind);
    expect(await relatedTo(stored)).toMatchObject({ objects: [], unseen: [] });
  });
});

describe('the state of', () => {
  async function stateOfFirst(stored: Awaited<ReturnType<typeof storeImport>>): Promise<string | undefined> {
    return (await relatedTo(stored)).objects[0]?.state;
  }

  test.each([
    [{ active: 1 }, 'active'],
    [{}, 'waiting'],
    [{ conditions: [{ type: 'Complete', status: 'True' }] }, 'Complete'],
    [{ conditions: [{ type: 'Failed', status: 'True', message: 'too often' }] }, 'Failed: too often'],
    [{ active: 1, conditions: [{ type: 'Failed', status: 'False' }] }, 'active'],
  ])('a Job with %o is "%s"', async (status, state) => {
    const stored = await storeImport(cluster);
    await store(cluster, jobKind, aJob('job', madeBy(stored.metadata.uid), status));
    expect(await stateOfFirst(stored)).toBe(state);
  });

  test.each<readonly [string, Parameters<typeof aPod>[2], string]>([
    ['new', {}, 'Pending'],
    ['running', { spec: { nodeName: 'node3' }, status: { phase: 'Running' } }, 'Running on node3'],
    [
      'unschedulable',
      {
        status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message: 'no node fits' }] },
      },
      'Pending, no node fits',
    ],
    [
      'without its image',
      {
        status: {
          phase: 'Pending',
          containerStatuses: [{ name: 'worker', state: { waiting: { reason: 'ErrImagePull', message: 'not found' } } }],
        },
      },
      'Pending, ErrImagePull: not found',
    ],
    [
      'killed',
      {
        status: {
          phase: 'Failed',
          containerStatuses: [
            { name: 'worker', restartCount: 2, state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } },
          ],
        },
      },
      'Failed, restarted 2 times, OOMKilled',
    ],
  ])('a Pod that is %s', async (_what, facts, state) => {
    const stored = await storeImport(cluster);
    await store(cluster, podKind, aPod('pod', madeBy(stored.metadata.uid), facts));
    expect(await stateOfFirst(stored)).toBe(state);
  });

  test('a volume is told with its size and class', async () => {
    const stored = await storeImport(cluster);
    const spec = { storageClassName: 'fast', resources: { requests: { storage: '10Gi' } } };
    await store(cluster, persistentVolumeClaimKind, aClaim('disk', madeBy(stored.metadata.uid), { spec }));
    expect(await stateOfFirst(stored)).toBe('Pending, 10Gi, class fast');
  });

  test.each([
    [{}, '0% imported'],
    [{ progress: 40 }, '40% imported'],
    [{ progress: 100, conditions: [{ type: 'Imported', status: 'True' }] }, 'imported'],
    [{ conditions: [{ type: 'Imported', status: 'False', message: 'no room' }] }, '0% imported, no room'],
  ])('an image with %o is "%s"', async (status, state) => {
    const stored = await storeImport(cluster);
    await cluster.create(virtualMachineImageKind, {
      apiVersion: 'harvesterhci.io/v1beta1',
      kind: 'VirtualMachineImage',
      metadata: { name: 'image', namespace: NAMESPACE, labels: madeBy(stored.metadata.uid) },
      status,
    });
    expect(await stateOfFirst(stored)).toBe(state);
  });

  test.each([
    [{}, 'Pending'],
    [{ phase: 'UploadReady', progress: 'N/A' }, 'UploadReady'],
    [{ phase: 'UploadReady', progress: '42.0%' }, 'UploadReady, 42.0%'],
  ])('a DataVolume with %o is "%s"', async (status, state) => {
    const stored = await storeImport(cluster);
    const metadata = { name: 'disk', namespace: NAMESPACE, labels: madeBy(stored.metadata.uid) };
    await cluster.create(dataVolumeKind, {
      apiVersion: 'cdi.kubevirt.io/v1beta1',
      kind: 'DataVolume',
      metadata,
      status,
    });
    expect(await stateOfFirst(stored)).toBe(state);
  });

  test('what waits for its own end says so first', async () => {
    const stored = await storeImport(cluster);
    const labels = madeBy(stored.metadata.uid);
    const metadata = { name: 'plan', namespace: NAMESPACE, labels, finalizers: ['example.com/hold'] };
    const plan = await cluster.create(configMapKind, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
    await cluster.delete(configMapKind, { namespace: NAMESPACE, name: plan.metadata.name });
    expect(await stateOfFirst(stored)).toBe('being deleted');
  });
});
