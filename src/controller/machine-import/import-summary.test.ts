import { expect, test } from 'vitest';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { summarizeImport } from './import-summary.ts';

/** As the API may have it, nulls and all. */
const stored = (status: object | null, spec: object = {}, metadata: object = {}): StoredVirtualMachineImport => ({
  apiVersion: 'migration.harvesterhci.io/v1beta1',
  kind: 'VirtualMachineImport',
  metadata: { name: 'web', namespace: 'vms', uid: 'u1', ...metadata },
  spec: { sourceCluster: { kind: 'OvaSource', namespace: 'vms', name: 'files' }, ...spec },
  status: status as never,
});
const finished = { progress: { phase: 'Finished', finishedAt: '2026-11-01T10:00:00Z', retry: 'one' } } as const;

test('says where it is, what it reads from and what it makes', () => {
  expect(summarizeImport(stored({ ...finished, importedVirtualMachineName: 'web-1' }))).toMatchObject({
    uid: 'u1',
    namespace: 'vms',
    name: 'web',
    targetName: 'web-1',
    phase: 'Finished',
    source: 'ovasource/vms/files',
    isFinished: true,
  });
  expect(summarizeImport(stored(null, { sourceCluster: null }))).toMatchObject({
    phase: 'Pending',
    source: undefined,
    isFinished: false,
    isSettled: false,
  });
});

test.each([
  ['finished and left alone', stored(finished, { retry: 'one' }), true],
  ['finished by the old controller', stored({ importStatus: 'virtualMachineRunning' }), true],
  ['finished, and asked to begin anew', stored(finished, { retry: 'two' }), false],
  ['finished, and being deleted', stored(finished, {}, { deletionTimestamp: '2026-11-01T10:00:00Z' }), false],
  ['under way', stored({ progress: { phase: 'Transferring' } }), false],
])('W25: an import that is %s is looked at again: not %s', (_, object, isSettled) => {
  expect(summarizeImport(object).isSettled).toBe(isSettled);
});
