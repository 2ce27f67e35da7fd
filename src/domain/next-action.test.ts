import { describe, expect, test } from 'vitest';
import {
  type Action,
  type Limits,
  nextAction,
  type ObservedDisk,
  type ObservedImport,
  type ObservedTransfer,
  STALL_MS,
} from './next-action.ts';

const NOW = 1_000_000;
const limits: Limits = { shutdownMs: 60_000, isForcedOff: false };

const disk: ObservedDisk = {
  index: 0,
  volume: { state: 'bound' },
  epoch: 0,
  transfer: undefined,
  isDone: false,
};
const fresh: ObservedImport = {
  now: NOW,
  isDeleting: false,
  hasFinalizer: true,
  isSuspended: false,
  isRetryAsked: false,
  history: 'ours',
  preflight: undefined,
  sourcePower: { state: 'off' },
  disks: [],
  hasToldDisks: true,
  machine: { state: 'absent' },
  leftovers: [],
};
const planned: ObservedImport = { ...fresh, preflight: { findings: [], ranAt: NOW - 1000 }, disks: [disk] };

function transfer(given: Partial<ObservedTransfer> = {}): ObservedTransfer {
  return { epoch: 1, state: 'running', startedAt: NOW - 10_000, progressAt: NOW - 1000, failures: 0, ...given };
}

function withDisk(given: Partial<ObservedDisk>): ObservedImport {
  return { ...planned, disks: [{ ...disk, ...given }] };
}

function withTransfer(given: Partial<ObservedTransfer>): ObservedImport {
  return withDisk({ epoch: given.epoch ?? 1, transfer: transfer(given) });
}

describe('an import on its way takes one step after the other', () => {
  const cases: readonly [name: string, seen: ObservedImport, action: Partial<Action>][] = [
    ['takes the finalizer before anything', { ...fresh, hasFinalizer: false }, { type: 'addFinalizer' }],
    ['looks at the source and the cluster', fresh, { type: 'runPreflight' }],
    ['makes a volume', withDisk({ volume: { state: 'absent' } }), { type: 'createVolume', disk: 0 }],
    ['copies the disk', planned, { type: 'startTransfer', disk: 0, epoch: 1 }],
    [
      'copies it although its volume binds only when a Pod wants it',
      withDisk({ volume: { state: 'pending', isWaitingForConsumer: true, since: 0 } }),
      { type: 'startTransfer', disk: 0, epoch: 1 },
    ],
    ['waits while it is copied', withTransfer({}), { type: 'wait', reason: 'TransferRunning' }],
    [
      'never starts a second worker beside one that may still write',
      withTransfer({ state: 'stopping' }),
      { type: 'wait', reason: 'TransferRunning' },
    ],
    [
      'tells that the disks are there before it makes the machine',
      { ...withDisk({ isDone: true }), hasToldDisks: false },
      { type: 'wait', reason: 'DisksTransferred', afterMs: 0 },
    ],
    ['makes the machine when all disks are there', withDisk({ isDone: true }), { type: 'createMachine' }],
    [
      'waits for the machine',
      { ...planned, machine: { state: 'created', createdAt: NOW, mayRun: true, isReady: false } },
      { type: 'wait', reason: 'MachineStarting' },
    ],
    [
      'finishes when it is ready',
      { ...planned, machine: { state: 'created', createdAt: NOW, mayRun: true, isReady: true } },
      { type: 'finish' },
    ],
    [
      'finishes at once with a machine that is not to run',
      { ...planned, machine: { state: 'created', createdAt: NOW, mayRun: false, isReady: false } },
      { type: 'finish' },
    ],
  ];
  test.each(cases)('%s', (_, seen, action) => {
    expect(nextAction(seen, limits)).toMatchObject(action);
  });

  test('all disks at once, as far as they may', () => {
    const disks = [
      { ...disk, index: 0, epoch: 1, transfer: transfer() },
      { ...disk, index: 1, queuedFor: '4 transfers read from files.example already' },
      { ...disk, index: 2 },
    ];
    expect(nextAction({ ...planned, disks }, limits)).toMatchObject({ type: 'startTransfer', disk: 2 });
    const queued = disks.slice(1, 2);
    expect(nextAction({ ...planned, disks: queued }, limits)).toMatchObject({
      type: 'wait',
      reason: 'TransferQueued',
      message: '4 transfers read from files.example already',
    });
  });
});

describe('what earlier controllers left (ruling 15)', () => {
  test.each(['finished', 'givenUp'] as const)('imports that are %s are left alone', (history) => {
    const over: ObservedImport = { ...fresh, history, hasFinalizer: false };
    expect(nextAction(over, limits)).toEqual({ type: 'none', reason: 'Complete' });
  });

  test('those that came to nothing begin anew when somebody asks for it', () => {
    const asked: ObservedImport = { ...fresh, history: 'givenUp', isRetryAsked: true };
    expect(nextAction(asked, limits)).toEqual({ type: 'restart' });
  });

  test('a finished one does not: its machine is in use', () => {
    const asked: ObservedImport = { ...fresh, history: 'finished', isRetryAsked: true };
    expect(nextAction(asked, limits)).toEqual({ type: 'none', reason: 'Complete' });
  });

  test.each([
    ['running', { type: 'stopTransfers' }],
    ['stopping', { type: 'wait', reason: 'TransferStopping' }],
    ['failed', { type: 'restart' }],
  ] as const)('not before a transfer that is %s has ended', (state, action) => {
    expect(nextAction({ ...withTransfer({ state }), isRetryAsked: true }, limits)).toMatchObject(action);
  });

  test('an import without our record begins again', () => {
    expect(nextAction({ ...fresh, history: 'restart' }, limits)).toEqual({ type: 'restart' });
  });

  test('images that are ready are looked at like any other import', () => {
    expect(nextAction({ ...fresh, history: 'imagesReady' }, limits)).toEqual({ type: 'runPreflight' });
  });

  test('a machine that was created is waited for', () => {
    const created: ObservedImport = {
      ...fresh,
      history: 'machineCreated',
      machine: { state: 'created', createdAt: NOW, mayRun: true, isReady: false, message: 'ErrorUnschedulable' },
    };
    expect(nextAction(created, limits)).toMatchObject({ type: 'wait', message: 'ErrorUnschedulable' });
  });
});

describe('findings', () => {
  const blocker = (code: 'NetworkMissing' | 'ImportFieldInvalid', message: string) =>
    ({ severity: 'blocker', code, message }) as const;

  test('warnings stop nothing', () => {
    const findings = [{ severity: 'warning', code: 'GuestMayNotBoot', message: 'it may not' }] as const;
    const seen = { ...planned, preflight: { findings, ranAt: NOW } };
    expect(nextAction(seen, limits)).toMatchObject({ type: 'startTransfer' });
  });

  test('W11: what may pass by itself is looked at again', () => {
    const findings = [blocker('NetworkMissing', 'default/vlan1 is not there')];
    const at = (ranAt: number) => nextAction({ ...planned, preflight: { findings, ranAt } }, limits);
    expect(at(NOW - 10_000)).toEqual({
      type: 'stall',
      code: 'NetworkMissing',
      message: 'default/vlan1 is not there',
      afterMs: 50_000,
    });
    expect(at(NOW - 60_000)).toEqual({ type: 'runPreflight' });
  });

  test('what a person must change waits for the change, and comes first', () => {
    const findings = [blocker('NetworkMissing', 'no network'), blocker('ImportFieldInvalid', 'bad bus')];
    const seen = { ...planned, preflight: { findings, ranAt: 0 } };
    expect(nextAction(seen, limits)).toEqual({
      type: 'stall',
      code: 'ImportFieldInvalid',
      message: 'bad bus (and 1 more)',
    });
  });
});

describe('power of the source', () => {
  const on = (asked: 'nothing' | 'shutdown' | 'powerOff', askedAt = NOW - 10_000): ObservedImport => ({
    ...planned,
    sourcePower: { state: 'on', asked, askedAt },
  });

  test('the guest is asked to shut down, and waited for', () => {
    expect(nextAction(on('nothing'), limits)).toEqual({ type: 'shutDownSource' });
    expect(nextAction(on('shutdown'), limits)).toMatchObject({ type: 'wait', reason: 'SourcePoweringOff' });
  });

  test('W12: a guest that does not is powered off after its time', () => {
    expect(nextAction(on('shutdown', NOW - 60_000), limits)).toMatchObject({ type: 'wait' });
    expect(nextAction(on('shutdown', NOW - 60_001), limits)).toEqual({ type: 'powerOffSource' });
    expect(nextAction(on('powerOff', 0), limits)).toMatchObject({ type: 'wait' });
  });

  test('a forced power-off takes effect at once, also while the guest is waited for', () => {
    const forced = { ...limits, isForcedOff: true };
    expect(nextAction(on('nothing'), forced)).toEqual({ type: 'powerOffSource' });
    expect(nextAction(on('shutdown'), forced)).toEqual({ type: 'powerOffSource' });
  });

  test('volumes are made before it, so that the source is off as short as possible', () => {
    const seen = { ...on('nothing'), disks: [{ ...disk, volume: { state: 'absent' } as const }] };
    expect(nextAction(seen, limits)).toMatchObject({ type: 'createVolume' });
  });
});

describe('volumes', () => {
  test('one that does not bind is named within a minute, with what the provisioner says', () => {
    const pending = (since: number) =>
      withDisk({
        volume: { state: 'pending', isWaitingForConsumer: false, since, message: 'no space on any node' },
      });
    expect(nextAction(pending(NOW - 10_000), limits)).toMatchObject({ type: 'startTransfer' });
    expect(nextAction(pending(NOW - STALL_MS.volume), limits)).toEqual({
      type: 'stall',
      code: 'VolumeNotBound',
      message: 'no space on any node',
      afterMs: 30_000,
    });
    expect(STALL_MS.volume).toBeLessThan(60_000);
  });

  test.each<[ObservedDisk['volume'] & { readonly message: string }, string]>([
    [{ state: 'foreign', code: 'VolumeExists', message: 'why' }, 'VolumeExists'],
    [{ state: 'foreign', code: 'ImportConflict', message: 'why' }, 'ImportConflict'],
    [{ state: 'lost', message: 'why' }, 'VolumeLost'],
  ])('one that is not ours or gone is never written to, and looked at again: %o', (volume, code) => {
    const action = nextAction(withDisk({ volume }), limits);
    expect(action).toEqual({ type: 'stall', code, message: 'why', afterMs: 60_000 });
  });
});

describe('a transfer that failed', () => {
  const failed = (given: Partial<ObservedTransfer>) =>
    nextAction(withTransfer({ state: 'failed', endedAt: NOW - 1000, failures: 1, ...given }), limits);

  test('is started again under the next epoch after a pause that doubles', () => {
    expect(failed({})).toEqual({
      type: 'wait',
      reason: 'TransferRetrying',
      message: 'the transfer failed',
      afterMs: 1000,
    });
    expect(failed({ endedAt: NOW - 2000 })).toEqual({ type: 'startTransfer', disk: 0, epoch: 2 });
    expect(failed({ failures: 4, endedAt: NOW - 15_999 })).toMatchObject({ afterMs: 1 });
    expect(failed({ failures: 60, endedAt: NOW })).toMatchObject({ afterMs: 300_000 });
  });

  test('says meanwhile what it failed with', () => {
    const problem = { code: 'VolumeNotWritable', message: '/disk may not be written' } as const;
    expect(failed({ problem })).toMatchObject({
      type: 'wait',
      code: 'VolumeNotWritable',
      message: 'VolumeNotWritable: /disk may not be written',
    });
  });

  test('for good waits for a person', () => {
    const problem = { code: 'DiskImageCorrupt', message: 'grain 7 is damaged' } as const;
    expect(failed({ problem, endedAt: 0 })).toEqual({ type: 'stall', ...problem });
  });

  test('for want of the source waits for it, by name, and is tried again all the same', () => {
    const problem = { code: 'SourceObjectMissing', message: 'there is no OvaSource "app"' } as const;
    expect(failed({ problem, endedAt: NOW - 10_000 })).toEqual({ type: 'stall', ...problem, afterMs: 20_000 });
    expect(failed({ problem, endedAt: NOW - 30_000 })).toEqual({ type: 'startTransfer', disk: 0, epoch: 2 });
  });

  test('for the sake of the source goes on by itself once the source is ready again (W11)', () => {
    const problem = { code: 'SourceAuthRequired', message: 'it says 401' } as const;
    const at = (sourceReadyAt: number | undefined, code: 'SourceAuthRequired' | 'SourceChanged') => {
      const seen = withTransfer({ state: 'failed', problem: { ...problem, code }, endedAt: NOW - 10_000 });
      return nextAction({ ...seen, sourceReadyAt }, limits).type;
    };
    expect(at(undefined, 'SourceAuthRequired')).toBe('stall');
    expect(at(NOW - 20_000, 'SourceAuthRequired')).toBe('stall');
    expect(at(NOW - 5_000, 'SourceAuthRequired')).toBe('startTransfer');
    expect(at(NOW - 5_000, 'SourceChanged')).toBe('stall');
  });

  test('keeps the others going', () => {
    const problem = { code: 'DiskImageCorrupt', message: 'grain 7 is damaged' } as const;
    const disks = [
      { ...disk, epoch: 1, transfer: transfer({ state: 'failed', problem }) },
      { ...disk, index: 1 },
    ];
    expect(nextAction({ ...planned, disks }, limits)).toEqual({ type: 'startTransfer', disk: 1, epoch: 1 });
  });
});

describe('the watchdog', () => {
  test.each([
    ['pending', STALL_MS.transferStart, 'TransferNotStarted'],
    ['running', STALL_MS.transfer, 'TransferStalled'],
  ] as const)('names a transfer that is %s for too long', (state, ms, code) => {
    const at = (progressAt: number) => nextAction(withTransfer({ state, progressAt }), limits);
    expect(at(NOW - ms + 1)).toMatchObject({ type: 'wait' });
    expect(at(NOW - ms)).toMatchObject({ type: 'stall', code, message: expect.stringContaining('no progress for') });
  });

  test('with the cause that the cluster knows', () => {
    const problem = { code: 'TransferNodeLost', message: 'node n1 does not answer since 10:00' } as const;
    const seen = withTransfer({ state: 'stopping', progressAt: 0, problem });
    expect(nextAction(seen, limits)).toMatchObject({ type: 'stall', ...problem });
  });

  test('at once where the cluster has waited already: for a node that does not answer', () => {
    const problem = { code: 'TransferNodeLost', message: 'node n1 does not answer since 10:00' } as const;
    for (const state of ['running', 'stopping'] as const)
      expect(nextAction(withTransfer({ state, problem }), limits)).toMatchObject({ type: 'stall', ...problem });
  });

  test.each<[string, Partial<ObservedDisk>[], number]>([
    ['a running one', [{ transfer: transfer({ progressAt: NOW - 20_000 }) }], STALL_MS.transfer - 20_000],
    ['the cause why one does not start', [{ transfer: transfer({ state: 'pending', progressAt: NOW }) }], 10_000],
    [
      'a pending one',
      [{ transfer: transfer({ state: 'pending', progressAt: NOW + 5000 - STALL_MS.transferStart }) }],
      5000,
    ],
    [
      'the first of several',
      [{ transfer: transfer() }, { transfer: transfer({ progressAt: NOW - 30_000 }) }],
      STALL_MS.transfer - 30_000,
    ],
    [
      'the retry of one beside others',
      [{ transfer: transfer() }, { transfer: transfer({ state: 'failed', failures: 2, endedAt: NOW }) }],
      4000,
    ],
    [
      'a volume that is not bound',
      [
        {
          transfer: transfer({ state: 'pending', progressAt: NOW }),
          volume: { state: 'pending', isWaitingForConsumer: false, since: NOW - 40_000 },
        },
      ],
      5000,
    ],
  ])('looks again when it is time for %s, though nothing is heard', (_what, given, afterMs) => {
    const disks = given.map((each, index) => ({ ...disk, index, epoch: 1, ...each }));
    expect(nextAction({ ...planned, disks }, limits)).toMatchObject({
      type: 'wait',
      reason: 'TransferRunning',
      afterMs,
    });
  });

  test('W34: a machine that never gets ready is named', () => {
    const machine = { state: 'created', createdAt: NOW - STALL_MS.machine, mayRun: true, isReady: false } as const;
    expect(nextAction({ ...planned, machine: { ...machine, message: 'crash loop' } }, limits)).toEqual({
      type: 'stall',
      code: 'MachineNotReady',
      message: 'crash loop',
    });
  });

  test('a machine of that name that is not ours is left alone', () => {
    const foreign = { code: 'MachineExists', message: 'web01 was not made by this import' } as const;
    const machine = { state: 'foreign', ...foreign } as const;
    expect(nextAction({ ...planned, machine }, limits)).toEqual({ type: 'stall', ...foreign, afterMs: 60_000 });
  });
});

describe('suspending', () => {
  const suspended = (disks: ObservedDisk[]): Action => nextAction({ ...planned, isSuspended: true, disks }, limits);

  test('stops what runs, waits for it, and rests', () => {
    expect(suspended([{ ...disk, epoch: 1, transfer: transfer() }])).toEqual({ type: 'stopTransfers' });
    const stopping = { ...disk, epoch: 1, transfer: transfer({ state: 'stopping' }) };
    expect(suspended([stopping])).toMatchObject({ type: 'wait', reason: 'TransferStopping' });
    expect(suspended([{ ...disk, epoch: 1 }])).toEqual({ type: 'none', reason: 'Suspended' });
  });
});

describe('deleting', () => {
  const deleting = (leftovers: ObservedImport['leftovers'], hasFinalizer = true): Action =>
    nextAction({ ...planned, isDeleting: true, hasFinalizer, leftovers }, limits);

  test('removes everything first, then the finalizer', () => {
    const job = { kind: 'Job', name: 'a', isGoing: false };
    expect(deleting([job, { ...job, isGoing: true }])).toEqual({ type: 'cleanUp' });
    const going = ['a', 'b', 'c', 'd'].map((name) => ({ kind: 'Pod', name, isGoing: true }));
    expect(deleting(going)).toMatchObject({
      type: 'wait',
      message: 'waiting for Pod a, Pod b, Pod c and 1 more to go',
    });
    expect(deleting([])).toEqual({ type: 'removeFinalizer' });
    expect(deleting([job], false)).toEqual({ type: 'none', reason: 'Deleted' });
  });

  test('comes before everything else', () => {
    const seen = { ...fresh, isDeleting: true, isSuspended: true, isRetryAsked: true, history: 'finished' } as const;
    expect(nextAction(seen, limits)).toEqual({ type: 'removeFinalizer' });
  });
});
