import { beforeEach, describe, expect, test } from 'vitest';
import { secretKind } from '../../api/core-kinds.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import { virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import { aClusterFor, aSource, NAMESPACE, setProgress, store } from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { suspendImport } from './change-import.ts';
import type { ImportWish } from './import-wish.ts';
import { type PlacedImport, placeImport } from './place-import.ts';

const NOW = Date.parse('2026-11-01T10:00:00Z');
const ref = { namespace: NAMESPACE, name: 'web01' };
let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

const wish = (more: Partial<ImportWish> = {}): ImportWish => ({
  ...ref,
  origin: 'https://files.example/web01.ova',
  source: { url: 'https://files.example/web01.ova' },
  spec: { virtualMachineName: 'web01', targetName: 'web01' },
  ...more,
});
const place = (more: Partial<ImportWish> = {}, restart = false): Promise<PlacedImport> =>
  placeImport(cluster, wish(more), { now: NOW, restart });

describe('placeImport', () => {
  test('makes a source and an import that reads it; the source goes with the import', async () => {
    const { stored, was } = await place();
    expect(was).toBe('new');
    expect(stored.spec).toMatchObject({
      targetName: 'web01',
      sourceCluster: { kind: 'OvaSource', apiVersion: 'migration.harvesterhci.io/v1beta1', ...ref },
    });
    const source = await cluster.get(ovaSourceKind, ref);
    expect(source?.spec).toEqual({ url: 'https://files.example/web01.ova' });
    expect(source?.metadata.ownerReferences).toMatchObject([
      { kind: 'VirtualMachineImport', uid: stored.metadata.uid },
    ]);
    await cluster.delete(virtualMachineImportKind, ref);
    cluster.collectGarbage();
    expect(await cluster.get(ovaSourceKind, ref)).toBeUndefined();
  });

  test('an account and a CA go into a Secret of its own, which goes with the import too', async () => {
    const source = {
      url: 'https://files.example/web01.ova',
      secret: { username: 'me', password: 'hidden', 'ca.crt': 'PEM' },
      insecure: true,
    };
    const { stored } = await place({ source });
    const secret = await cluster.get(secretKind, { namespace: NAMESPACE, name: 'web01-source' });
    expect(secret?.metadata.ownerReferences).toMatchObject([{ uid: stored.metadata.uid }]);
    expect({ ...secret?.stringData, ...secret?.data }).toMatchObject({
      'ca.crt': expect.any(String),
      username: expect.any(String),
    });
    const made = await cluster.get(ovaSourceKind, ref);
    expect(made?.spec).toMatchObject({
      insecureSkipTLSVerify: true,
      credentials: { name: 'web01-source', namespace: NAMESPACE },
    });
    expect(JSON.stringify([made, stored])).not.toContain('hidden');
  });

  test('the source is there before the import is', async () => {
    const order: string[] = [];
    cluster.onWrite(({ kind, isChange }) => isChange && order.push(kind.kind));
    await place({ source: { url: 'https://files.example/web01.ova', secret: { 'ca.crt': 'PEM' } } });
    expect(order.slice(0, 3)).toEqual(['Secret', 'OvaSource', 'VirtualMachineImport']);
  });

  test('the same wish again goes on with what is there', async () => {
    const { stored } = await place();
    await setProgress(cluster, stored, { phase: 'Transferring' });
    const again = await place();
    expect(again.was).toBe('begun');
    expect(again.stored.metadata.uid).toBe(stored.metadata.uid);
    expect(again.stored.spec).toEqual(stored.spec);
  });

  test('a finished one is left alone', async () => {
    const { stored } = await place();
    const done = await setProgress(cluster, stored, { phase: 'Finished' });
    const writes: string[] = [];
    cluster.onWrite(({ verb }) => writes.push(verb));
    expect(await place({ spec: { targetName: 'other' } })).toEqual({ stored: done, was: 'finished' });
    expect(writes).toEqual([]);
  });

  test.each([
    ['failed', { phase: 'Failed' as const }],
    [
      'blocked',
      {
        phase: 'Stalled' as const,
        findings: [{ severity: 'blocker' as const, code: 'ImportFieldInvalid', message: 'x' }],
      },
    ],
  ])('one that is %s is begun anew', async (_, progress) => {
    const { stored } = await place();
    await setProgress(cluster, stored, progress);
    expect((await place()).stored.spec?.retry).toBe('2026-11-01T10:00:00.000Z');
  });

  test('one that a change of the wish may cure is not begun anew: the edit is enough', async () => {
    const { stored } = await place();
    await setProgress(cluster, stored, { phase: 'Failed' });
    const { stored: edited } = await place({ spec: { targetName: 'web01', storageClass: 'fast' } });
    expect(edited.spec).toMatchObject({ storageClass: 'fast' });
    expect(edited.spec?.retry).toBeUndefined();
  });

  test('one under way is begun anew when asked', async () => {
    await place();
    expect((await place({}, true)).stored.spec?.retry).toBe('2026-11-01T10:00:00.000Z');
  });

  test('a suspended one goes on', async () => {
    const { stored } = await place();
    await suspendImport(cluster, stored, true);
    expect((await place()).stored.spec?.suspend).toBe(false);
  });

  test('an import of that name from elsewhere is not touched', async () => {
    await place();
    await expect(place({ origin: 'https://other.example/web01.ova' })).rejects.toMatchObject({
      code: 'ClusterObjectExists',
      message: 'VirtualMachineImport vms/web01 is there already, and imports https://files.example/web01.ova',
    });
  });

  test('neither is a source that somebody else made', async () => {
    await store(cluster, ovaSourceKind, { ...aSource(), metadata: ref });
    await expect(place()).rejects.toThrow('OvaSource vms/web01 is there already, and somebody else made it');
    expect(await cluster.get(virtualMachineImportKind, ref)).toBeUndefined();
  });

  test('one that is being deleted has to be gone first', async () => {
    const { stored } = await place();
    await cluster.patch(virtualMachineImportKind, ref, { metadata: { finalizers: ['example.com/hold'] } });
    await cluster.delete(virtualMachineImportKind, refOf(stored));
    await expect(place()).rejects.toThrow('is there already, and is being deleted');
  });

  test('a field that somebody else changed is theirs, and said to be', async () => {
    await place({ spec: { storageClass: 'slow' } });
    const other = { fieldManager: 'kubectl', force: true };
    const edited = {
      apiVersion: 'migration.harvesterhci.io/v1beta1',
      kind: 'VirtualMachineImport',
      metadata: ref,
      spec: { storageClass: 'fast' },
    };
    await cluster.apply(virtualMachineImportKind, edited, other);
    await expect(place({ spec: { storageClass: 'slow' } })).rejects.toMatchObject({ code: 'ClusterConflict' });
  });
});
