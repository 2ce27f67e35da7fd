import { beforeEach, expect, test } from 'vitest';
import { aClusterFor, NAMESPACE, storeImport } from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { findImport } from './find-import.ts';

let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

test('finds an import by its name', async () => {
  const stored = await storeImport(cluster, { name: 'db' });
  expect(await findImport(cluster, { namespace: NAMESPACE, name: 'db' })).toEqual(stored);
});

test('one that is not there is named, with those that are', async () => {
  await storeImport(cluster, { name: 'web01' });
  await storeImport(cluster, { name: 'web02' });
  await storeImport(cluster, { name: 'elsewhere', namespace: 'other' });
  await expect(findImport(cluster, { namespace: NAMESPACE, name: 'web' })).rejects.toMatchObject({
    code: 'ClusterObjectMissing',
    message: 'VirtualMachineImport "web" is not in namespace "vms"; there are: web01, web02',
  });
});

test('of many only some are named', async () => {
  for (let count = 0; count < 8; count += 1) await storeImport(cluster, { name: `web0${count}` });
  await expect(findImport(cluster, { namespace: NAMESPACE, name: 'web' })).rejects.toThrow(
    /there are: web00, web01, web02, web03, web04, more$/,
  );
});

test('an empty namespace is said to be empty', async () => {
  await expect(findImport(cluster, { namespace: NAMESPACE, name: 'web' })).rejects.toThrow(
    /not in namespace "vms"; no import is there$/,
  );
});
