import { describe, expect, test } from 'vitest';
import { jobKind, persistentVolumeClaimKind, podKind } from '../../api/core-kinds.ts';
import { type DataVolume, dataVolumeKind, virtualMachineKind } from '../../api/platform-kinds.ts';
import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import {
  scheduledStatus,
  type UploadScript,
  uploadFailedStatus,
  uploadReadyStatus,
} from '../../testing/import-journey/fake-cdi.ts';
import { finishAtOnce, ImportJourney, type JourneyOptions } from '../../testing/import-journey/import-journey.ts';
import { aMachine } from '../../testing/kubevirt/sample-machines.ts';
import { namesOf } from './names.ts';

const isFinished = ({ status }: StoredVirtualMachineImport) => status?.progress?.phase === 'Finished';
const isStalledBy = (code: string) => (each: StoredVirtualMachineImport) =>
  each.status?.progress?.reason === code && ['Stalled', 'Failed'].includes(each.status.progress.phase ?? '');

const begin = (options: JourneyOptions = {}) => ImportJourney.begin({ uploads: true, ...options });
const target = { target: { dataVolume: {} } };

async function dataVolumesIn({ cluster }: ImportJourney): Promise<DataVolume[]> {
  const found: DataVolume[] = [];
  for await (const each of cluster.list(dataVolumeKind)) found.push(each);
  return found;
}

describe('the target dataVolume', () => {
  test('asks CDI for the volume, sends the disk, proves it, and makes the machine of the claim', async () => {
    const disks = [{ ...aMachine().disks[0], virtualSizeBytes: 5_000_001 }] as ReturnType<typeof aMachine>['disks'];
    const journey = await begin({ machine: { disks } });
    await journey.create('web', target);
    const passed = await journey.run('web', isFinished, 100);
    expect(passed.filter((state) => state !== '')).toEqual([
      'virtualMachineImportValid',
      'sourceReady',
      'disksExported',
      'diskImageSubmitted',
      'diskImagesReady',
      'virtualMachineCreated',
      'virtualMachineRunning',
    ]);
    const { metadata, status } = await journey.get('web');
    const [dataVolume, ...others] = await dataVolumesIn(journey);
    expect(others).toEqual([]);
    const { name = '' } = dataVolume?.metadata ?? {};
    expect(dataVolume).toMatchObject({
      metadata: {
        labels: {
          'migration.harvesterhci.io/imported': 'true',
          'migration.harvesterhci.io/import-uid': metadata.uid,
        },
        annotations: {
          'cdi.kubevirt.io/storage.bind.immediate.requested': 'true',
          'cdi.kubevirt.io/storage.deleteAfterCompletion': 'false',
        },
      },
      spec: {
        source: { upload: {} },
        // CDI adds what a file system takes by itself.
        storage: { storageClassName: 'fast', resources: { requests: { storage: '5Mi' } } },
      },
    });
    expect(dataVolume?.metadata).not.toHaveProperty('ownerReferences');
    const machine = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
    expect(machine?.spec?.template?.spec?.volumes).toEqual([
      { name: 'disk-0', persistentVolumeClaim: { claimName: name } },
    ]);
    expect(machine?.metadata.annotations ?? {}).not.toHaveProperty('harvesterhci.io/volumeClaimTemplates');
    expect(status?.diskImportStatus?.[0]).toMatchObject({ diskName: name });
    expect(status?.diskImportStatus?.[0]).not.toHaveProperty('VirtualMachineImage');
    expect(status?.progress?.disks?.[0]).toMatchObject({ phase: 'Done', epoch: 2, digestRoot: expect.any(String) });
  });

  test('the DataVolume is there before its worker, which has no volume and no port; the second one has the volume', async () => {
    const seen: (object | undefined)[] = [];
    const journey = await begin({
      work: async (run, own) => {
        const name = namesOf(run.importUid).job(run.disk, run.epoch);
        const job = await own.cluster.get(jobKind, { namespace: 'vms', name });
        const container = job?.spec?.template?.spec?.containers?.[0];
        seen[run.epoch] ??= {
          dataVolumes: (await dataVolumesIn(own)).length,
          hasVolume: container?.env?.some((each) => each.name === 'AIRLIFT_VOLUME'),
          ports: container?.ports?.length ?? 0,
        };
        return await finishAtOnce(run, own);
      },
    });
    await journey.create('web', target);
    await journey.run('web', isFinished, 100);
    expect(seen.slice(1)).toEqual([
      { dataVolumes: 1, hasVolume: false, ports: 0 },
      { dataVolumes: 1, hasVolume: true, ports: 0 },
    ]);
  });

  test('is complete without a second worker where nothing is to be verified', async () => {
    const journey = await begin();
    await journey.create('web', { ...target, transfer: { verify: 'none' } });
    await journey.run('web', isFinished, 100);
    expect((await journey.get('web')).status?.progress?.disks?.[0]?.epoch).toBe(1);
  });

  test('is never chosen by itself', async () => {
    const journey = await begin();
    await journey.create('web');
    await journey.run('web', isFinished, 100);
    expect(await dataVolumesIn(journey)).toEqual([]);
  });

  test('is refused by name where the installation sends nothing to CDI, or there is none', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web', target);
    await journey.run('web', isStalledBy('TargetKindNotInstalled'));
    expect((await journey.get('web')).status?.progress?.message).toContain('dataVolume');
    const other = await begin();
    other.cluster.uninstall(dataVolumeKind);
    await other.create('web', target);
    await other.run('web', isStalledBy('TargetKindNotInstalled'));
    expect((await other.get('web')).status?.progress?.message).toContain('CDI');
  });

  test('once it runs, volume and DataVolume do not go with the import', async () => {
    const journey = await begin();
    await journey.create('web', target);
    await journey.run('web', isFinished, 100);
    const name = (await dataVolumesIn(journey))[0]?.metadata.name;
    await journey.delete('web');
    for (let turns = 0; turns < 6; turns += 1) await journey.step('web');
    expect(await journey.inventory()).toEqual([
      `DataVolume ${name}`,
      `PersistentVolumeClaim ${name}`,
      'VirtualMachine web',
    ]);
  });

  test('of several disks, all go their way beside each other', async () => {
    const [disk] = aMachine().disks;
    if (disk === undefined) throw new Error('no disk');
    const journey = await begin({ machine: { disks: [disk, { ...disk, id: 'other', name: 'disk 2' }] } });
    await journey.create('web', target);
    await journey.run('web', isFinished, 100);
    expect(await dataVolumesIn(journey)).toHaveLength(2);
    expect((await journey.get('web')).status?.progress?.disks?.map(({ phase }) => phase)).toEqual(['Done', 'Done']);
  });
});

describe('a DataVolume that is not filled', () => {
  test('is named with what CDI says, while it does not take the disk', async () => {
    const journey = await begin({ uploads: () => [scheduledStatus] });
    await journey.create('web', target);
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.epoch === 1, 100);
    for (let turns = 0; turns < 4; turns += 1) {
      await journey.turn();
      await journey.step('web');
    }
    journey.clock.ms += 300_000;
    await journey.step('web');
    const { status } = await journey.get('web');
    expect(status?.progress).toMatchObject({ phase: 'Stalled', reason: 'UploadNotReady' });
    expect(status?.progress?.message).toContain('UploadScheduled: Creating container cdi-upload');
  });

  test('and that CDI has given up is removed, and made anew by the next run', async () => {
    const seen = new Set<string>();
    const failingOnce: UploadScript = ({ metadata }) => {
      seen.add(metadata.uid ?? '');
      return seen.size === 1 ? [scheduledStatus, uploadFailedStatus] : [scheduledStatus, uploadReadyStatus];
    };
    const journey = await begin({ uploads: failingOnce });
    await journey.create('web', target);
    const passed = await journey.run('web', isFinished, 200);
    expect(passed).toContain('diskImageFailed');
    expect(seen.size).toBe(2);
    expect(await dataVolumesIn(journey)).toHaveLength(1);
    expect(journey.events).toContainEqual(
      expect.objectContaining({
        type: 'Warning',
        reason: 'UploadFailed',
        message: expect.stringContaining('the upload Pod was evicted'),
      }),
    );
  });

  test('its worker dies: the next one sends the disk to the same DataVolume', async () => {
    const journey = await begin({
      work: async (run, own) => (run.epoch === 1 ? { exitCode: 137 } : await finishAtOnce(run, own)),
    });
    await journey.create('web', target);
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.epoch === 1, 100);
    const [before] = await dataVolumesIn(journey);
    await journey.run('web', isFinished, 200);
    const [after] = await dataVolumesIn(journey);
    expect(after?.metadata.uid).toBe(before?.metadata.uid);
    expect((await journey.get('web')).status?.progress?.disks?.[0]?.epoch).toBe(3);
  });

  test('one of its name that is somebody else’s is never touched', async () => {
    const journey = await begin();
    const first = await begin();
    await first.create('web', target);
    await first.run('web', isFinished, 100);
    const name = (await dataVolumesIn(first))[0]?.metadata.name ?? '';
    await journey.cluster.create(dataVolumeKind, {
      apiVersion: 'cdi.kubevirt.io/v1beta1',
      kind: 'DataVolume',
      metadata: { name, namespace: 'vms', labels: { mine: 'yes' } },
      spec: { source: { blank: {} } },
    });
    await journey.create('web', target);
    await journey.run('web', isStalledBy('DataVolumeExists'), 100);
    expect((await dataVolumesIn(journey))[0]?.metadata.labels).toEqual({ mine: 'yes' });
    const jobs: string[] = [];
    for await (const each of journey.cluster.list(podKind)) jobs.push(each.metadata.name);
    expect(jobs).toEqual([]);
  });

  test('a claim that has lost its DataVolume is named, not waited for', async () => {
    const journey = await begin();
    const { metadata } = await journey.create('web', target);
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.epoch === 1, 100);
    const [dataVolume] = await dataVolumesIn(journey);
    const ref = { namespace: 'vms', name: dataVolume?.metadata.name ?? '' };
    await journey.turn();
    await journey.cluster.patch(persistentVolumeClaimKind, ref, { metadata: { ownerReferences: null } });
    await journey.cluster.delete(dataVolumeKind, ref);
    await journey.run('web', isStalledBy('VolumeExists'), 20);
    expect((await journey.get('web')).status?.progress?.message).toContain('has lost its DataVolume');
    expect(metadata.uid).toBeDefined();
  });
});

describe('beginning anew and deleting', () => {
  test('a retry makes another DataVolume, when the worker of the first has stopped', async () => {
    let isAsked = false;
    const journey = await begin({ uploads: () => (isAsked ? [uploadReadyStatus] : [scheduledStatus]) });
    await journey.create('web', target);
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.epoch === 1, 100);
    await journey.turn();
    const [before] = await dataVolumesIn(journey);
    isAsked = true;
    await journey.edit('web', { retry: 'now' });
    await journey.run('web', isFinished, 200);
    const [after, ...others] = await dataVolumesIn(journey);
    expect(others).toEqual([]);
    expect(after?.metadata.uid).not.toBe(before?.metadata.uid);
  });

  const phases: readonly [name: string, until: (each: StoredVirtualMachineImport) => boolean][] = [
    ['before its worker', ({ status }) => status?.importStatus === 'disksExported'],
    ['while it is sent', ({ status }) => status?.progress?.disks?.[0]?.epoch === 1],
    ['while it is proven', ({ status }) => status?.progress?.disks?.[0]?.epoch === 2],
  ];
  test.each(phases)('deleted %s, it leaves nothing', async (_, until) => {
    const journey = await begin();
    await journey.create('web', target);
    await journey.run('web', until, 100);
    await journey.turn();
    await journey.delete('web');
    journey.restartController();
    for (let turns = 0; turns < 16; turns += 1) {
      await journey.step('web');
      await journey.turn();
    }
    expect(await journey.inventory()).toEqual([]);
  });

  test('the controller killed after each of its writes ends in the same state', async () => {
    const reference = await begin();
    await reference.create('web', target);
    await reference.run('web', isFinished, 100);
    const nameless = async (journey: ImportJourney) =>
      (await journey.inventory()).map((each) => each.replace(/[a-z2-7]{10}/, 'ID'));
    const inventory = await nameless(reference);
    const writes = reference.writes.length;
    for (let dieAfter = 1; dieAfter <= writes; dieAfter += 1) {
      const journey = await begin();
      const doomed = journey.cluster.connect('controller-doomed');
      journey.restartController(doomed);
      let done = 0;
      journey.cluster.onWrite(({ client, isChange }) => {
        if (client !== 'controller-doomed' || !isChange) return;
        done += 1;
        if (done !== dieAfter) return;
        doomed.close();
        throw new Error('killed');
      });
      await journey.create('web', target);
      await expect(journey.run('web', isFinished, 100), `after write ${dieAfter}`).rejects.toThrow();
      journey.restartController();
      await journey.run('web', isFinished, 100);
      expect(await nameless(journey), `after write ${dieAfter}`).toEqual(inventory);
    }
  });
});
