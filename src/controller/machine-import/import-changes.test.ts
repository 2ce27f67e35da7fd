import { describe, expect, test } from 'vitest';
import { readVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { MemoryCluster } from '../../testing/memory-cluster.ts';
import { ImportChanges, unlessChanged } from './import-changes.ts';

const ref = { namespace: 'vms', name: 'web' };

async function world() {
  const cluster = new MemoryCluster({
    clock: new FakeClock(),
    kinds: [{ kind: virtualMachineImportKind, hasStatus: true }],
  });
  await cluster.create(virtualMachineImportKind, {
    apiVersion: 'migration.harvesterhci.io/v1beta1',
    kind: 'VirtualMachineImport',
    metadata: { ...ref, finalizers: ['team.example/waits'] },
    spec: { virtualMachineName: 'web' },
  });
  const stored = await cluster.get(virtualMachineImportKind, ref);
  if (stored === undefined) throw new Error('it was just made');
  const changes = new ImportChanges();
  const asking = Promise.withResolvers<string>();
  let signal: AbortSignal | undefined;
  const result = unlessChanged({ cluster, changes }, readVirtualMachineImport(stored).object, (options) => {
    signal = options.signal;
    // As a source does: it names what it was doing when it was given up.
    signal?.addEventListener('abort', () => asking.reject(new Error('the source did not answer')));
    return asking.promise;
  });
  result.catch(() => {});
  const tell = async () => {
    changes.tell(ref);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { cluster, changes, asking, result, tell, isGivenUp: () => signal?.aborted };
}

describe('what takes long', () => {
  test('is given up when the import is deleted meanwhile', async () => {
    const { cluster, result, tell } = await world();
    await cluster.delete(virtualMachineImportKind, ref);
    await tell();
    await expect(result).rejects.toMatchObject({ code: 'ClusterConflict', message: expect.stringContaining('web') });
  });

  test('or edited', async () => {
    const { cluster, result, tell } = await world();
    await cluster.patch(virtualMachineImportKind, ref, { spec: { virtualMachineName: 'other' } });
    await tell();
    await expect(result).rejects.toMatchObject({ code: 'ClusterConflict' });
  });

  test('but not when only its status was written, or nothing was', async () => {
    const { cluster, result, tell, asking, isGivenUp } = await world();
    const status = { importStatus: 'virtualMachineImportValid' };
    await cluster.patch(virtualMachineImportKind, ref, { status }, { subresource: 'status' });
    await tell();
    expect(isGivenUp()).toBe(false);
    asking.resolve('answered');
    expect(await result).toBe('answered');
  });

  test('is given up when the controller ends', async () => {
    const { changes, result } = await world();
    changes.stop();
    await expect(result).rejects.toThrow('the source did not answer');
  });

  test('that has ended is told nothing any more', async () => {
    const { cluster, result, tell, asking, isGivenUp } = await world();
    asking.resolve('answered');
    await result;
    await cluster.delete(virtualMachineImportKind, ref);
    await tell();
    expect(isGivenUp()).toBe(false);
  });
});
