import { beforeEach, describe, expect, test } from 'vitest';
import { importStatuses } from '../../api/literals.ts';
import { virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import { aClusterFor, storeImport } from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { refuseEnded, retryImport, suspendImport } from './change-import.ts';

const NOW = Date.parse('2026-11-01T10:00:00Z');
let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

describe('retryImport', () => {
  test('writes the time as a token that was never there, and leaves the rest of the spec alone', async () => {
    const stored = await storeImport(cluster, { progress: { phase: 'Failed' }, spec: { retry: 'before' } });
    const changed = await retryImport(cluster, stored, NOW);
    expect(changed.spec).toEqual({ ...stored.spec, retry: '2026-11-01T10:00:00.000Z' });
  });

  test('refuses an import whose machine people use', async () => {
    const stored = await storeImport(cluster, {
      progress: { phase: 'Finished' },
      status: { importedVirtualMachineName: 'web' },
    });
    await expect(retryImport(cluster, stored, NOW)).rejects.toMatchObject({
      code: 'ImportFinished',
      message: 'VirtualMachineImport vms/web01 is done; its machine is web',
    });
  });

  test('refuses what the old controller has finished', async () => {
    const stored = await storeImport(cluster, { status: { importStatus: importStatuses.machineRunning } });
    await expect(retryImport(cluster, stored, NOW)).rejects.toMatchObject({ code: 'ImportFinished' });
  });

  test.each([importStatuses.failed, importStatuses.invalid])(
    'begins anew what the old controller ended as %s (ruling 15)',
    async (importStatus) => {
      const stored = await storeImport(cluster, { status: { importStatus } });
      expect((await retryImport(cluster, stored, NOW)).spec?.retry).toBe('2026-11-01T10:00:00.000Z');
    },
  );

  test('does not touch another object that has the name by now', async () => {
    const stored = await storeImport(cluster, { progress: { phase: 'Failed' } });
    await cluster.delete(virtualMachineImportKind, refOf(stored));
    const other = await storeImport(cluster, {});
    await expect(retryImport(cluster, stored, NOW)).rejects.toMatchObject({ code: 'ClusterConflict' });
    expect(await cluster.get(virtualMachineImportKind, refOf(other))).toEqual(other);
  });
});

describe('suspendImport', () => {
  test('holds an import and lets it go on', async () => {
    const stored = await storeImport(cluster, { progress: { phase: 'Transferring' } });
    const held = await suspendImport(cluster, stored, true);
    expect(held.spec?.suspend).toBe(true);
    expect((await suspendImport(cluster, held, false)).spec?.suspend).toBe(false);
  });
});

describe('refuseEnded', () => {
  test.each([importStatuses.failed, importStatuses.invalid, importStatuses.machineRunning])(
    'what the old controller ended as %s is never touched again',
    async (importStatus) => {
      const stored = await storeImport(cluster, { status: { importStatus } });
      expect(() => refuseEnded(stored)).toThrow(expect.objectContaining({ code: 'ImportFinished' }));
    },
  );

  test('what failed here may begin anew', async () => {
    const stored = await storeImport(cluster, {
      status: { importStatus: importStatuses.sourceReady },
      progress: { phase: 'Failed' },
    });
    expect(() => refuseEnded(stored)).not.toThrow();
  });

  test('an import that once finished stays finished, also after an edit and while it is being deleted', async () => {
    const stored = await storeImport(cluster, {
      progress: { phase: 'Pending', finishedAt: '2026-10-01T10:00:00Z' },
    });
    expect(() => refuseEnded(stored)).toThrow(expect.objectContaining({ code: 'ImportFinished' }));
  });
});
