import { beforeEach, expect, test } from 'vitest';
import { jobKind, persistentVolumeClaimKind } from '../../api/core-kinds.ts';
import { virtualMachineKind } from '../../api/platform-kinds.ts';
import {
  aClaim,
  aClusterFor,
  aJob,
  aVirtualMachine,
  madeBy,
  store,
  storeImport,
} from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { previewDeletion } from './preview-deletion.ts';

let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

const names = (objects: readonly { readonly name: string }[]) => objects.map(({ name }) => name);

test('without a machine everything goes, volumes too', async () => {
  const stored = await storeImport(cluster, { progress: { phase: 'Transferring' } });
  const { uid } = stored.metadata;
  await store(cluster, jobKind, aJob('job', madeBy(uid, 0, 1)));
  await store(cluster, persistentVolumeClaimKind, aClaim('disk', madeBy(uid, 0)));
  const { goes, stays } = await previewDeletion(cluster, stored);
  expect(names(goes)).toEqual(['job', 'disk']);
  expect(stays).toEqual([]);
});

test('a machine that was made stays with its volumes, also while it still starts', async () => {
  const stored = await storeImport(cluster, {
    status: { importedVirtualMachineName: 'web' },
    progress: { phase: 'StartingMachine' },
  });
  const { uid } = stored.metadata;
  await store(cluster, jobKind, aJob('job', madeBy(uid, 0, 1)));
  await store(cluster, persistentVolumeClaimKind, aClaim('disk', madeBy(uid, 0)));
  await store(cluster, virtualMachineKind, aVirtualMachine('web', madeBy(uid), ['disk']));
  const { goes, stays } = await previewDeletion(cluster, stored);
  expect(names(goes)).toEqual(['job']);
  expect(names(stays)).toEqual(['disk', 'web']);
});

test('volumes of a finished import stay also where its machine is gone', async () => {
  const stored = await storeImport(cluster, {
    status: { importedVirtualMachineName: 'web' },
    progress: { phase: 'Finished' },
  });
  await store(cluster, persistentVolumeClaimKind, aClaim('disk', madeBy(stored.metadata.uid, 0)));
  const { goes, stays } = await previewDeletion(cluster, stored);
  expect(goes).toEqual([]);
  expect(names(stays)).toEqual(['disk']);
});
