import { describe, expect, test } from 'vitest';
import { configMapKind, jobKind, persistentVolumeClaimKind } from '../../api/core-kinds.ts';
import { networkAttachmentDefinitionKind, virtualMachineKind } from '../../api/platform-kinds.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { WorkerEnd } from '../../testing/import-journey/cluster-machinery.ts';
import { finishAtOnce, ImportJourney, placeOf } from '../../testing/import-journey/import-journey.ts';
import { aMachine } from '../../testing/kubevirt/sample-machines.ts';

const UPSTREAM_ORDER = [
  'virtualMachineImportValid',
  'sourceReady',
  'disksExported',
  'diskImageSubmitted',
  'diskImagesReady',
  'virtualMachineCreated',
  'virtualMachineRunning',
];
const isFinished = ({ status }: StoredVirtualMachineImport) => status?.progress?.phase === 'Finished';
const isStalledBy = (code: string) => (each: StoredVirtualMachineImport) =>
  each.status?.progress?.reason === code && ['Stalled', 'Failed'].includes(each.status.progress.phase ?? '');
const twoDisks = {
  disks: [
    ...aMachine().disks,
    { id: 'disk2', name: 'Hard disk 2', virtualSizeBytes: 3_000_000, controllerId: 'sata0', unit: 1, fileName: 'd2' },
  ],
};

describe('an import', () => {
  test("goes through upstream's states in upstream's order to a running machine (ruling 14)", async () => {
    const journey = await ImportJourney.begin({ machine: twoDisks });
    await journey.create('web');
    const passed = await journey.run('web', isFinished);
    expect(passed.filter((state) => state !== '')).toEqual(UPSTREAM_ORDER);

    const { status } = await journey.get('web');
    expect(status?.importedVirtualMachineName).toBe('web');
    const conditions = status?.importConditions?.map(({ type, status: is }) => `${type} ${is}`);
    expect(conditions?.toSorted()).toEqual([
      'DisksTransferred True',
      'PreflightPassed True',
      'Ready True',
      'Stalled False',
      'VMExported True',
      'VMPoweredOff True',
      'VMShutdownGuest True',
    ]);
    expect(status?.diskImportStatus).toMatchObject([
      { diskName: 'web-disk-0', diskSize: 2 ** 30, busType: 'sata' },
      { diskName: 'web-disk-1', diskSize: 3_000_000 },
    ]);
    expect(status?.diskImportStatus?.[0]).not.toHaveProperty('VirtualMachineImage');
    expect(status?.progress).toMatchObject({ percent: '100%', finishedAt: expect.any(String) });
    expect(status?.progress?.disks?.map(({ digestRoot }) => digestRoot)).toEqual(['ab'.repeat(32), 'ab'.repeat(32)]);
    expect(journey.events.map(({ reason }) => reason)).toEqual(['Transferring', 'Finished']);
  });

  test('takes at most 20 writes, with its events', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web');
    await journey.run('web', isFinished);
    expect(journey.writes.length + journey.events.length).toBeLessThanOrEqual(20);
  });

  test('makes the machine as it was, on volumes of its own that nothing owns (ruling 19)', async () => {
    const journey = await ImportJourney.begin({ machine: twoDisks });
    await journey.create('web', { run: false });
    await journey.run('web', isFinished);
    const machine = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
    expect(machine?.spec?.runStrategy).toBe('Halted');
    expect(machine?.metadata.labels).toMatchObject({ 'migration.harvesterhci.io/imported': 'true' });
    expect(machine?.metadata.ownerReferences).toBeUndefined();
    const templates = JSON.parse(machine?.metadata.annotations?.['harvesterhci.io/volumeClaimTemplates'] ?? '');
    expect(templates.map((each: { metadata: object }) => each.metadata)).toEqual([
      { name: 'web-disk-0' },
      { name: 'web-disk-1' },
    ]);
    const claim = await journey.cluster.get(persistentVolumeClaimKind, { namespace: 'vms', name: 'web-disk-1' });
    expect(claim?.metadata.ownerReferences).toBeUndefined();
    expect(claim?.spec?.resources?.requests).toEqual({ storage: '3Mi' });
  });

  test('a finished one is not touched again, not even read much (W25)', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web');
    await journey.run('web', isFinished);
    journey.restartController();
    const [writes, opened] = [journey.writes.length, journey.adapter.opened];
    expect(await journey.step('web')).toBeUndefined();
    expect(journey.writes).toHaveLength(writes);
    expect(journey.adapter.opened).toBe(opened);
  });

  test('whose volumes bind only for a Pod gets its Pod first', async () => {
    const journey = await ImportJourney.begin({ storageClass: { volumeBindingMode: 'WaitForFirstConsumer' } });
    await journey.create('web');
    await journey.run('web', isFinished);
  });
});

describe('a controller that dies after any of its writes', () => {
  test('is followed by one that brings the import to the same end', async () => {
    const whole = await ImportJourney.begin({ machine: twoDisks });
    await whole.create('web');
    await whole.run('web', isFinished);
    const [inventory, count] = [await whole.inventory(), whole.writes.length];
    const machine = await whole.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });

    for (let dieAfter = 1; dieAfter <= count; dieAfter += 1) {
      const journey = await ImportJourney.begin({ machine: twoDisks });
      const doomed = journey.cluster.connect('controller-doomed');
      journey.restartController(doomed);
      let writes = 0;
      journey.cluster.onWrite(({ client, isChange }) => {
        if (client !== 'controller-doomed' || !isChange) return;
        writes += 1;
        if (writes !== dieAfter) return;
        doomed.close();
        throw new Error('killed');
      });
      await journey.create('web');
      await expect(journey.run('web', isFinished), `after write ${dieAfter}`).rejects.toThrow();
      journey.restartController();
      await journey.run('web', isFinished);
      expect(await journey.inventory(), `after write ${dieAfter}`).toEqual(inventory);
      const again = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
      expect(again?.spec).toEqual(machine?.spec);
    }
  });
});

describe('one writer (ruling 16)', () => {
  test('a worker of an old run can store nothing once the next one has begun', async () => {
    const runs: number[] = [];
    const journey = await ImportJourney.begin({
      work: async (run, own) => {
        runs.push(run.epoch);
        if (run.epoch === 1) return { exitCode: 1, message: 'the link broke' };
        const place = await placeOf(run, own);
        const old = own.parts.transfers.saveCheckpoint(place, { epoch: 1, bytes: Buffer.from('old'), doneBytes: 9 });
        await expect(old).rejects.toMatchObject({ code: 'TransferSuperseded' });
        await expect(own.parts.transfers.saveResult(place, 1, {} as never)).rejects.toMatchObject({
          code: 'TransferSuperseded',
        });
        return await finishAtOnce(run, own);
      },
    });
    await journey.create('web');
    await journey.run('web', isFinished);
    expect(runs).toEqual([1, 2]);
  });

  test('no run begins beside a Pod that may still write, even when watches have not told of it', async () => {
    const journey = await ImportJourney.begin({ work: async () => 'goesOn' });
    await journey.create('web');
    await expect(journey.run('web', isFinished, 20)).rejects.toThrow('not there after');
    // Somebody deletes the Job and leaves its Pod, as a node that does not answer does.
    const [job] = journey.parts.objects.jobs((await journey.get('web')).metadata.uid ?? '');
    await journey.cluster.delete(
      jobKind,
      { namespace: 'vms', name: job?.metadata.name ?? '' },
      { propagation: 'Orphan' },
    );
    journey.cluster.collectGarbage();
    for (let turns = 0; turns < 10; turns += 1) {
      await journey.step('web');
      journey.clock.ms += 60_000;
    }
    expect((await journey.inventory()).filter((each) => each.startsWith('Job'))).toEqual([]);
    expect((await journey.get('web')).status?.progress?.disks?.[0]).toMatchObject({ epoch: 1, phase: 'Stopping' });
  });
});

describe('a transfer that fails', () => {
  test('leaves the Job of its last run for whoever looks into it, and of no run before', async () => {
    const jobs: string[][] = [];
    const journey = await ImportJourney.begin({
      work: async (run, own) => {
        const names = await own.inventory();
        jobs.push(names.filter((each) => each.startsWith('Job')).map((each) => each.split('-').at(-1) ?? ''));
        return run.epoch === 5 ? await finishAtOnce(run, own) : { exitCode: 1 };
      },
    });
    await journey.create('web');
    await journey.run('web', isFinished, 200);
    expect(jobs).toEqual([['1'], ['1', '2'], ['2', '3'], ['3', '4'], ['4', '5']]);
  });

  test('W8: goes on from its checkpoint, after pauses that grow only while it gets no further', async () => {
    const started: number[] = [];
    const journey = await ImportJourney.begin({
      work: async (run, own): Promise<WorkerEnd> => {
        started.push(own.clock.ms);
        if (run.epoch > 4) return await finishAtOnce(run, own);
        const bytes = Buffer.from(`checkpoint ${run.epoch}`);
        await own.parts.transfers.saveCheckpoint(await placeOf(run, own), {
          epoch: run.epoch,
          bytes,
          doneBytes: run.epoch <= 2 ? run.epoch : 2,
        });
        return { exitCode: 1 };
      },
    });
    await journey.create('web');
    await journey.run('web', isFinished, 200);
    const pauses = started.slice(1).map((at, index) => Math.round((at - (started[index] ?? 0)) / 1000));
    expect(started).toHaveLength(5);
    // Two runs got further, two did not.
    expect(pauses[1]).toBeLessThanOrEqual(pauses[2] ?? 0);
    expect(pauses[3]).toBeGreaterThan(pauses[1] ?? 0);
    const checkpoint = await journey.cluster.get(configMapKind, {
      namespace: 'vms',
      name:
        (await journey.inventory()).find((each) => /-0$/.test(each) && each.startsWith('ConfigMap'))?.split(' ')[1] ??
        '',
    });
    expect(Buffer.from(checkpoint?.binaryData?.checkpoint ?? '', 'base64').toString()).toBe('checkpoint 4');
  });

  test('W10: for good says why in status, condition, disk and event, and waits for a person', async () => {
    const journey = await ImportJourney.begin({
      work: async (run, own) => {
        const problem = { epoch: run.epoch, code: 'DiskImageCorrupt', message: 'grain 7 is damaged' } as const;
        await own.parts.transfers.saveProblem(await placeOf(run, own), problem);
        return { exitCode: 40 };
      },
    });
    await journey.create('web');
    await journey.run('web', isStalledBy('DiskImageCorrupt'));
    const { status } = await journey.get('web');
    expect(status?.progress).toMatchObject({
      phase: 'Failed',
      message: 'grain 7 is damaged',
      nextStep: expect.stringMatching(/\w/),
      disks: [{ phase: 'Failed', reason: 'DiskImageCorrupt' }],
    });
    expect(status?.importConditions).toContainEqual(
      expect.objectContaining({ type: 'VMExportFailed', message: 'error exporting VM: grain 7 is damaged' }),
    );
    expect(journey.events.at(-1)).toMatchObject({ type: 'Warning', reason: 'DiskImageCorrupt' });
    expect(await journey.step('web')).toBeUndefined();
  });

  test('begins anew with a new token for retry, on new volumes and under the next epoch', async () => {
    let isDamaged = true;
    const journey = await ImportJourney.begin({
      work: async (run, own) => {
        if (!isDamaged) return await finishAtOnce(run, own);
        const problem = { epoch: run.epoch, code: 'DiskImageCorrupt', message: 'damaged' } as const;
        await own.parts.transfers.saveProblem(await placeOf(run, own), problem);
        return { exitCode: 40 };
      },
    });
    await journey.create('web');
    await journey.run('web', isStalledBy('DiskImageCorrupt'));
    const ref = { namespace: 'vms', name: 'web-disk-0' };
    const before = (await journey.cluster.get(persistentVolumeClaimKind, ref))?.metadata.uid;
    const exportFailed = async () =>
      (await journey.get('web')).status?.importConditions?.find(({ type }) => type === 'VMExportFailed')?.status;
    expect(await exportFailed()).toBe('True');
    isDamaged = false;
    await journey.edit('web', { retry: 'once more' });
    await journey.run('web', isFinished);
    expect(await exportFailed()).toBe('False');
    expect((await journey.cluster.get(persistentVolumeClaimKind, ref))?.metadata.uid).not.toBe(before);
    expect((await journey.get('web')).status?.progress).toMatchObject({
      retry: 'once more',
      attempt: 2,
      disks: [{ epoch: 2 }],
    });
  });
});

test('a finished import is not begun anew, whoever asks for it: its machine is in use', async () => {
  const journey = await ImportJourney.begin();
  await journey.create('web');
  await journey.run('web', isFinished);
  const before = await journey.inventory();
  const ref = { namespace: 'vms', name: 'web-disk-0' };
  const volume = (await journey.cluster.get(persistentVolumeClaimKind, ref))?.metadata.uid;
  await journey.edit('web', { retry: 'now' });
  for (let turns = 0; turns < 10; turns += 1) {
    await journey.step('web');
    await journey.turn();
  }
  expect(await journey.inventory()).toEqual(before);
  expect((await journey.cluster.get(persistentVolumeClaimKind, ref))?.metadata.uid).toBe(volume);
  expect(isFinished(await journey.get('web'))).toBe(true);
  expect(journey.events.at(-1)).toMatchObject({ type: 'Warning', reason: 'ImportFinished' });
});

test.each(['VMMigrationFailed', 'virtualMachineImportInvalid'])(
  'an import that the old controller ended as %s begins anew when it is asked to (ruling 15)',
  async (importStatus) => {
    const journey = await ImportJourney.begin();
    await journey.create('web', {}, { importStatus });
    expect(await journey.step('web')).toBeUndefined();
    await journey.edit('web', { retry: '1' });
    const passed = await journey.run('web', isFinished);
    expect(passed.filter((state) => state !== '')).toEqual([importStatus, ...UPSTREAM_ORDER]);
    expect(passed[1]).toBe('');
  },
);

describe('findings', () => {
  test('all are told at once, in status and condition, and cured one by one without a new import (W10, W11)', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web', {
      storageClass: 'slow',
      networkMapping: [
        { sourceNetwork: 'a', destinationNetwork: 'vlan1' },
        { sourceNetwork: 'b', destinationNetwork: 'vms/vlan2' },
      ],
    });
    await journey.run('web', ({ status }) => status?.progress?.phase === 'Stalled');
    const { status } = await journey.get('web');
    expect(
      status?.progress?.findings?.filter(({ severity }) => severity === 'blocker').map(({ code }) => code),
    ).toEqual(['NetworkMissing', 'NetworkMissing', 'StorageClassMissing']);
    expect(status?.importStatus).toBeUndefined();
    for (const name of ['vlan1', 'vlan2'])
      await journey.cluster.create(networkAttachmentDefinitionKind, {
        apiVersion: 'k8s.cni.cncf.io/v1',
        kind: 'NetworkAttachmentDefinition',
        metadata: { name, namespace: 'vms' },
      });
    await journey.edit('web', { storageClass: 'fast' });
    await journey.run('web', isFinished);
  });

  test('what only a person can change makes it invalid, until it is changed', async () => {
    const journey = await ImportJourney.begin();
    const sourceCluster = { apiVersion: 'v1', kind: 'OvaSource', name: 'files', namespace: 'vms' };
    await journey.create('web', { sourceCluster });
    await journey.run('web', isStalledBy('ImportSourceUnsupported'));
    expect((await journey.get('web')).status?.importStatus).toBe('virtualMachineImportInvalid');
    await journey.edit('web', { sourceCluster: { apiVersion: 'migration.harvesterhci.io/v1beta1' } });
    const passed = await journey.run('web', isFinished);
    expect(passed.at(-1)).toBe('virtualMachineRunning');
  });

  test('a target that this installation does not make is refused by name', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web', { target: { image: {} } });
    await journey.run('web', isStalledBy('TargetKindNotInstalled'));
    expect((await journey.inventory()).filter((each) => !each.startsWith('VirtualMachineImport'))).toEqual([]);
  });

  test('a source that does not answer is asked again by itself (W11)', async () => {
    const journey = await ImportJourney.begin();
    journey.adapter.failure = new ProblemError('SourceUnreachable', 'files.example refuses connections');
    await journey.create('web');
    await journey.run('web', isStalledBy('SourceUnreachable'));
    journey.adapter.failure = undefined;
    await journey.run('web', isFinished, 200);
  });

  test('W5: a source that is gone stops nothing else and is named', async () => {
    const journey = await ImportJourney.begin();
    const sourceCluster = {
      kind: 'OvaSource',
      name: 'gone',
      namespace: 'vms',
      apiVersion: 'migration.harvesterhci.io/v1beta1',
    };
    await journey.create('web', { sourceCluster });
    await journey.run('web', isStalledBy('SourceObjectMissing'));
    await journey.create('other');
    await journey.run('other', isFinished);
  });

  test('a machine of that name that is not ours is never touched', async () => {
    const journey = await ImportJourney.begin();
    const machine = {
      apiVersion: 'kubevirt.io/v1',
      kind: 'VirtualMachine',
      metadata: { name: 'web', namespace: 'vms' },
    };
    await journey.cluster.create(virtualMachineKind, machine);
    await journey.create('web');
    await journey.run('web', isStalledBy('MachineExists'));
    await journey.edit('web', { targetName: 'web-2' });
    await journey.run('web', isFinished);
    expect((await journey.get('web')).status?.importedVirtualMachineName).toBe('web-2');
  });

  test('W18: a name that Kubernetes does not take is rewritten, and the original kept with the machine', async () => {
    const journey = await ImportJourney.begin({ machine: { name: 'Web_Server 01' } });
    await journey.create('import-1', { virtualMachineName: 'Web_Server 01' });
    await journey.run('import-1', isFinished);
    const machine = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web-server-01' });
    expect(machine?.metadata.annotations).toMatchObject({ 'migration.harvesterhci.io/source-name': 'Web_Server 01' });
  });

  test('a volume that never binds is named within a minute, and holds up nothing once it does', async () => {
    let isFull = true;
    const journey = await ImportJourney.begin({ neverBinds: () => isFull });
    await journey.create('web');
    const began = journey.clock.ms;
    await journey.run('web', isStalledBy('VolumeNotBound'), 200);
    expect(journey.clock.ms - began).toBeLessThan(60_000);
    isFull = false;
    await journey.run('web', isFinished);
  });
});

describe('an import that is edited midway', () => {
  test('keeps its volumes when only the machine changes, and the machine is as edited', async () => {
    let isHeld = true;
    const journey = await ImportJourney.begin({
      work: async (run, own) => (isHeld ? 'goesOn' : finishAtOnce(run, own)),
    });
    await journey.create('web');
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.phase === 'Transferring');
    await journey.edit('web', { disks: [{ index: 0, bus: 'scsi' }] });
    isHeld = false;
    await journey.run('web', isFinished);
    const machine = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
    expect(machine?.spec?.template?.spec?.domain).toMatchObject({ devices: { disks: [{ disk: { bus: 'scsi' } }] } });
    expect((await journey.get('web')).status?.progress?.disks?.[0]?.epoch).toBe(1);
  });

  test('is stopped with a word when it would need other volumes, and goes on when that is set back', async () => {
    const journey = await ImportJourney.begin({ work: async () => 'goesOn' });
    await journey.create('web');
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.phase === 'Transferring');
    await journey.edit('web', { target: { volume: { volumeMode: 'Filesystem' } } });
    await journey.run('web', isStalledBy('ImportChanged'));
    await journey.edit('web', { target: { volume: { volumeMode: null } } });
    await journey.run('web', ({ status }) => status?.progress?.phase === 'Transferring');
  });

  test('suspended, stops its worker and keeps what it has; resumed, goes on under the next epoch', async () => {
    const journey = await ImportJourney.begin({
      work: async (run, own) => (run.epoch === 1 ? 'goesOn' : finishAtOnce(run, own)),
    });
    await journey.create('web');
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.phase === 'Transferring');
    await journey.edit('web', { suspend: true });
    await journey.run('web', ({ status }) => status?.progress?.reason === 'Suspended');
    expect((await journey.inventory()).filter((each) => /^(Job|Pod) /.test(each))).toEqual([]);
    await journey.edit('web', { suspend: false });
    await journey.run('web', isFinished);
    expect((await journey.get('web')).status?.progress?.disks?.[0]?.epoch).toBe(2);
  });
});

describe('deleting', () => {
  const phases: readonly [name: string, until: (each: StoredVirtualMachineImport) => boolean, keeps: string[]][] = [
    ['before anything', ({ metadata }) => metadata.finalizers !== undefined, []],
    ['after preflight', ({ status }) => status?.importStatus === 'virtualMachineImportValid', []],
    ['while it is copied', ({ status }) => status?.progress?.disks?.[0]?.phase === 'Transferring', []],
    ['when the disks are there', ({ status }) => status?.importStatus === 'disksExported', []],
    [
      'when the machine is there',
      ({ status }) => status?.importStatus === 'virtualMachineCreated',
      ['PersistentVolumeClaim web-disk-0', 'VirtualMachine web'],
    ],
    ['when it is finished', isFinished, ['PersistentVolumeClaim web-disk-0', 'VirtualMachine web']],
  ];
  test.each(phases)("%s leaves only what is the user's", async (_, until, keeps) => {
    const journey = await ImportJourney.begin();
    await journey.create('web');
    await journey.run('web', until);
    await journey.delete('web');
    // Nobody is there for a while: nothing hangs for ever once somebody is.
    journey.restartController();
    for (let turns = 0; turns < 12; turns += 1) {
      await journey.step('web');
      await journey.turn();
      journey.cluster.collectGarbage();
    }
    expect(await journey.inventory()).toEqual(keeps);
  });
});
