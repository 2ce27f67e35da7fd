import { describe, expect, test } from 'vitest';
import { API_VERSION, importStatuses } from '../../api/literals.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { summarizeImport } from './summarize-import.ts';

type Status = NonNullable<StoredVirtualMachineImport['status']>;

function anImport(
  status: Status,
  more: {
    readonly spec?: StoredVirtualMachineImport['spec'];
    readonly generation?: number;
    readonly gone?: string;
  } = {},
): StoredVirtualMachineImport {
  const { spec = {}, generation = 3, gone } = more;
  return {
    apiVersion: API_VERSION,
    kind: 'VirtualMachineImport',
    metadata: {
      name: 'web01',
      namespace: 'vms',
      uid: 'uid-1',
      generation,
      ...(gone === undefined ? {} : { deletionTimestamp: gone }),
    },
    spec,
    status,
  };
}

const blocker = (code: string) => ({ severity: 'blocker' as const, code, message: 'it is so' });

describe('the verdict on an import', () => {
  test.each<readonly [string, Status, 'open' | 'done' | 'failed' | 'blocked']>([
    ['nothing was said yet', {}, 'open'],
    ['copying', { progress: { phase: 'Transferring', observedGeneration: 3 } }, 'open'],
    ['finished', { progress: { phase: 'Finished', observedGeneration: 3 } }, 'done'],
    ['finished, and edited since', { progress: { phase: 'Finished', observedGeneration: 2 } }, 'done'],
    ['failed for good', { progress: { phase: 'Failed', observedGeneration: 3 } }, 'failed'],
    ['failed, and edited since', { progress: { phase: 'Failed', observedGeneration: 2 } }, 'open'],
    [
      'stalled by what only a person changes',
      { progress: { phase: 'Stalled', observedGeneration: 3, findings: [blocker('ImportFieldInvalid')] } },
      'blocked',
    ],
    [
      'stalled by what may pass by itself',
      { progress: { phase: 'Stalled', observedGeneration: 3, findings: [blocker('SourceUnreachable')] } },
      'open',
    ],
    [
      'stalled by a code of a newer controller',
      { progress: { phase: 'Stalled', observedGeneration: 3, findings: [blocker('FromTheFuture')] } },
      'blocked',
    ],
    ['suspended', { progress: { phase: 'Suspended', observedGeneration: 3 } }, 'open'],
    ['done by the old controller', { importStatus: importStatuses.machineRunning }, 'done'],
    ['failed in the old controller', { importStatus: importStatuses.failed }, 'failed'],
    ['refused by the old controller', { importStatus: importStatuses.invalid }, 'blocked'],
    ['under way in the old controller', { importStatus: importStatuses.disksExported }, 'open'],
  ])('%s', (_situation, status, verdict) => {
    expect(summarizeImport(anImport(status)).verdict).toBe(verdict);
  });

  test('a retry that was asked for and not begun leaves it open, one that was begun counts', () => {
    const status: Status = { progress: { phase: 'Failed', observedGeneration: 3, retry: 'first' } };
    expect(summarizeImport(anImport(status, { spec: { retry: 'second' } })).verdict).toBe('open');
    expect(summarizeImport(anImport(status, { spec: { retry: 'first' } })).verdict).toBe('failed');
  });

  test('what is being deleted is open and says so, whatever it was', () => {
    const gone = anImport({ progress: { phase: 'Finished', observedGeneration: 3 } }, { gone: '2026-11-01T10:00:00Z' });
    expect(summarizeImport(gone)).toMatchObject({ verdict: 'open', phase: 'Deleting' });
  });
});

test('numbers, reason and next step are as the controller wrote them', () => {
  const progress = {
    phase: 'Transferring' as const,
    observedGeneration: 3,
    reason: 'TransferRunning',
    message: 'disk 0 is being copied',
    nextStep: 'Wait.',
    percent: '42%',
    doneBytes: 42,
    totalBytes: 100,
    bytesPerSecond: 7,
    etaSeconds: 8,
  };
  expect(summarizeImport(anImport({ importedVirtualMachineName: 'web01', progress }))).toEqual({
    namespace: 'vms',
    name: 'web01',
    uid: 'uid-1',
    phase: 'Transferring',
    verdict: 'open',
    percent: '42%',
    doneBytes: 42,
    totalBytes: 100,
    bytesPerSecond: 7,
    etaSeconds: 8,
    reason: 'TransferRunning',
    message: 'disk 0 is being copied',
    nextStep: 'Wait.',
    machine: 'web01',
    createdAt: undefined,
  });
});

test('of an import that is over no speed and no remaining time is told', () => {
  const progress = { phase: 'Failed' as const, observedGeneration: 3, bytesPerSecond: 7, etaSeconds: 8 };
  expect(summarizeImport(anImport({ progress }))).toMatchObject({ bytesPerSecond: undefined, etaSeconds: undefined });
});

test.each([
  [undefined, 'Pending'],
  [importStatuses.sourceReady, 'Transferring'],
  [importStatuses.machineRunning, 'Finished'],
  [importStatuses.imagesFailed, 'Stalled'],
  ['somethingElse', 'Pending'],
] as const)('an import of the old controller in state %s is shown as %s', (importStatus, phase) => {
  expect(summarizeImport(anImport({ importStatus }))).toMatchObject({ phase });
});
