import { beforeEach, describe, expect, test } from 'vitest';
import { API_VERSION } from '../api/literals.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../api/virtual-machine-import.ts';
import { ProblemError } from '../domain/problems.ts';
import type { JsonObject } from '../ports/cluster.ts';
import { ManualClock } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { historyOf } from './machine-import/history.ts';
import { isForPeople, tellFailure } from './tell-failure.ts';

const ref = { namespace: 'vms', name: 'web' };
const forbidden = new ProblemError('ClusterForbidden', 'may not create jobs.batch in namespace "vms"');
let clock: ManualClock;
let cluster: MemoryCluster;
let events: { readonly type: string; readonly reason: string; readonly message: string }[];

beforeEach(() => {
  clock = new ManualClock();
  clock.ms = Date.parse('2026-11-01T10:00:00Z');
  cluster = new MemoryCluster({ clock, kinds: [{ kind: virtualMachineImportKind, hasStatus: true }] });
  events = [];
});

const tell = (problem = forbidden) =>
  tellFailure({ cluster, clock, events: { record: (_, event) => void events.push(event) } }, ref, problem);
const get = async () => await cluster.get(virtualMachineImportKind, ref);

async function create(
  status?: StoredVirtualMachineImport['status'],
  { spec = {}, finalizers = [] as string[] } = {},
): Promise<void> {
  const metadata = { ...ref, finalizers };
  await cluster.create(virtualMachineImportKind, {
    apiVersion: API_VERSION,
    kind: 'VirtualMachineImport',
    metadata,
    spec,
  });
  if (status)
    await cluster.patch(virtualMachineImportKind, ref, { status: status as JsonObject }, { subresource: 'status' });
}

describe('what the cluster refuses', () => {
  test('is told in status and event with its code, its words and what to do', async () => {
    await create({ progress: { phase: 'Transferring', reason: 'TransferRunning', attempt: 2 } });
    await tell();
    expect((await get())?.status).toMatchObject({
      progress: {
        phase: 'Stalled',
        reason: 'ClusterForbidden',
        message: 'may not create jobs.batch in namespace "vms"',
        nextStep: expect.stringContaining('ClusterRole'),
        attempt: 2,
      },
      importConditions: [{ type: 'Stalled', status: 'True', reason: 'ClusterForbidden' }],
    });
    expect(events).toEqual([
      { type: 'Warning', reason: 'ClusterForbidden', message: expect.stringMatching(/create jobs.*ClusterRole/) },
    ]);
  });

  test('again and again is told once', async () => {
    await create();
    await tell();
    const { resourceVersion } = (await get())?.metadata ?? {};
    clock.ms += 60_000;
    await tell();
    expect((await get())?.metadata.resourceVersion).toBe(resourceVersion);
    expect(events).toHaveLength(1);
  });

  test('of an import that the old controller began leaves it known as such', async () => {
    await create({ importStatus: 'sourceReady' });
    await tell();
    const stored = (await get()) as StoredVirtualMachineImport;
    expect(historyOf(stored)).toBe('restart');
    expect(stored.status?.importConditions).toMatchObject([{ type: 'Stalled', status: 'True' }]);
  });

  test('before the first step does not make its `spec.retry` one that was asked for later', async () => {
    await create(undefined, { spec: { retry: 'once' } });
    await tell();
    expect((await get())?.status?.progress).toMatchObject({ retry: 'once', phase: 'Stalled' });
  });

  test('of an import that is over is not told, unless it is being deleted and cannot go', async () => {
    await create(
      { importStatus: 'virtualMachineRunning', progress: { phase: 'Finished', finishedAt: '2026' } as never },
      {
        finalizers: ['keep'],
      },
    );
    await tell();
    expect((await get())?.status?.progress?.phase).toBe('Finished');
    expect(events).toEqual([]);
    await cluster.delete(virtualMachineImportKind, ref);
    await tell();
    expect((await get())?.status?.importConditions).toMatchObject([{ type: 'Stalled', reason: 'ClusterForbidden' }]);
  });

  test('of one that the old controller gave up is told once somebody asks for it anew, and leaves it known as such', async () => {
    await create({ importStatus: 'VMMigrationFailed' });
    await tell();
    expect(events).toEqual([]);
    await cluster.patch(virtualMachineImportKind, ref, { spec: { retry: 'now' } });
    await tell();
    expect(events).toMatchObject([{ reason: 'ClusterForbidden' }]);
    expect(historyOf((await get()) as StoredVirtualMachineImport)).toBe('givenUp');
  });

  test('of one that is gone is no failure, nor of one that somebody changes at this moment', async () => {
    await tell();
    await create();
    const conflict = new ProblemError('ClusterConflict', 'changed');
    cluster.failNext({ verb: 'patch' }, conflict);
    await tell();
    cluster.failNext({ verb: 'patch' }, forbidden);
    await expect(tell()).rejects.toBe(forbidden);
    // The event at least.
    expect(events.at(-1)).toMatchObject({ reason: 'ClusterForbidden' });
  });
});

test.each([
  [forbidden, true],
  [new ProblemError('ClusterQuotaExceeded', ''), true],
  [new ProblemError('ClusterUnreachable', ''), false],
  [new ProblemError('ClusterBusy', ''), false],
  [new Error('a bug'), false],
])('%o is for people: %s', (error, isSo) => {
  expect(isForPeople(error)).toBe(isSo);
});
