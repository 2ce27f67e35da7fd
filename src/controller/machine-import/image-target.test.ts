import { describe, expect, test } from 'vitest';
import { jobKind, persistentVolumeClaimKind, storageClassKind } from '../../api/core-kinds.ts';
import { ovaSourceKind } from '../../api/ova-source.ts';
import { type VirtualMachineImage, virtualMachineImageKind, virtualMachineKind } from '../../api/platform-kinds.ts';
import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import {
  givenUpStatus,
  type ImageScript,
  importedStatus,
  importingStatus,
} from '../../testing/import-journey/fake-image-importer.ts';
import {
  finishAtOnce,
  ImportJourney,
  type JourneyOptions,
  placeOf,
} from '../../testing/import-journey/import-journey.ts';
import { aMachine } from '../../testing/kubevirt/sample-machines.ts';
import { importInState } from '../../testing/upstream/objects.ts';
import { namesOf } from './names.ts';

const isFinished = ({ status }: StoredVirtualMachineImport) => status?.progress?.phase === 'Finished';
const isStalledBy = (code: string) => (each: StoredVirtualMachineImport) =>
  each.status?.progress?.reason === code && ['Stalled', 'Failed'].includes(each.status.progress.phase ?? '');

const LONGHORN = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'longhorn' },
  provisioner: 'driver.longhorn.io',
  parameters: { dataEngine: 'v1' },
};

async function begin(options: JourneyOptions = {}): Promise<ImportJourney> {
  const journey = await ImportJourney.begin({ images: true, ...options });
  await journey.cluster.create(storageClassKind, LONGHORN);
  return journey;
}

const target = { target: { image: {} }, storageClass: 'longhorn' };

async function imagesIn({ cluster }: ImportJourney): Promise<VirtualMachineImage[]> {
  const images: VirtualMachineImage[] = [];
  for await (const each of cluster.list(virtualMachineImageKind)) images.push(each);
  return images;
}

describe('the target image', () => {
  test("goes through upstream's states with upstream's image, volume and machine (reference section 7)", async () => {
    const journey = await begin();
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
    const id = namesOf(metadata.uid ?? '').image(0);
    const [image] = await imagesIn(journey);
    expect(image).toMatchObject({
      metadata: {
        name: id,
        labels: {
          'migration.harvesterhci.io/imported': 'true',
          'harvesterhci.io/imageDisplayName': 'vm-import-web-web-disk-0.img',
        },
        annotations: { 'harvesterhci.io/storageClassName': 'longhorn' },
      },
      spec: {
        displayName: 'vm-import-web-web-disk-0.img',
        sourceType: 'download',
        url: `http://airlift.example:8080/images/${metadata.uid}.0/token-number-1/web-disk-0.img`,
        backend: 'backingimage',
        targetStorageClassName: 'longhorn',
      },
    });
    // Harvester's default of three (W29).
    expect(image?.spec).not.toHaveProperty('retry');
    const claim = await journey.cluster.get(persistentVolumeClaimKind, { namespace: 'vms', name: id });
    expect(claim).toMatchObject({
      metadata: { annotations: { 'harvesterhci.io/imageId': `vms/${id}` } },
      spec: { accessModes: ['ReadWriteMany'], volumeMode: 'Block', storageClassName: 'lh-of-the-image' },
    });
    const machine = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
    expect(machine?.spec?.template?.spec?.volumes).toEqual([
      { name: 'disk-0', persistentVolumeClaim: { claimName: id } },
    ]);
    expect(machine?.metadata.annotations).not.toHaveProperty('harvesterhci.io/volumeClaimTemplates');
    expect(status?.diskImportStatus?.[0]).toMatchObject({
      diskName: 'web-disk-0.img',
      VirtualMachineImage: id,
      diskConditions: [
        { type: 'VirtualMachineImageSubmitted', status: 'True' },
        { type: 'VirtualMachineImageReady', status: 'True' },
      ],
    });
    expect(status?.progress?.disks?.[0]).toMatchObject({ phase: 'Done', epoch: 2, digestRoot: expect.any(String) });
  });

  test('the volume is as large as the disk, not as the file (ruling 20)', async () => {
    const disks = [{ ...aMachine().disks[0], virtualSizeBytes: 5_000_001 }] as ReturnType<typeof aMachine>['disks'];
    const journey = await begin({ machine: { disks } });
    await journey.create('web', target);
    await journey.run('web', isFinished, 100);
    const [image] = await imagesIn(journey);
    const claim = await journey.cluster.get(persistentVolumeClaimKind, {
      namespace: 'vms',
      name: image?.metadata.name ?? '',
    });
    expect(claim?.spec?.resources?.requests).toEqual({ storage: '5Mi' });
    expect(image?.status?.size).toBeLessThan(5_000_001);
  });

  test('is proven by a second worker, which alone has a volume', async () => {
    const volumes: boolean[] = [];
    const journey = await begin({
      work: async (run, own) => {
        const name = namesOf(run.importUid).job(run.disk, run.epoch);
        const job = await own.cluster.get(jobKind, { namespace: 'vms', name });
        const env = job?.spec?.template?.spec?.containers?.[0]?.env ?? [];
        volumes[run.epoch] = env.some((each) => each.name === 'AIRLIFT_VOLUME');
        return await finishAtOnce(run, own);
      },
    });
    await journey.create('web', target);
    await journey.run('web', isFinished, 100);
    expect(volumes.slice(1)).toEqual([false, true]);
  });

  test('is complete without a second worker where nothing is to be verified', async () => {
    const journey = await begin();
    await journey.create('web', { ...target, transfer: { verify: 'none' } });
    await journey.run('web', isFinished, 100);
    expect((await journey.get('web')).status?.progress?.disks?.[0]?.epoch).toBe(1);
  });

  test("CDI's own volume is the machine's where the class is none of Longhorn's, and is mounted as CDI made it", async () => {
    const modes: (string | undefined)[] = [];
    const journey = await begin({
      work: async (run, own) => {
        const name = namesOf(run.importUid).job(run.disk, run.epoch);
        const job = await own.cluster.get(jobKind, { namespace: 'vms', name });
        modes[run.epoch] = job?.spec?.template?.spec?.containers?.[0]?.env?.find(
          (each) => each.name === 'AIRLIFT_VOLUME',
        )?.value;
        return await finishAtOnce(run, own);
      },
    });
    await journey.create('web', { ...target, storageClass: 'fast' });
    await journey.run('web', isFinished, 100);
    const [image] = await imagesIn(journey);
    expect(image?.spec?.backend).toBe('cdi');
    const claim = await journey.cluster.get(persistentVolumeClaimKind, {
      namespace: 'vms',
      name: image?.metadata.name ?? '',
    });
    expect(claim?.metadata.annotations).toEqual({ 'harvesterhci.io/goldenImage': 'true' });
    // A file system: CDI decided so.
    expect(modes).toEqual([undefined, undefined, '/disk']);
  });

  test('W29: nobody names a class or a number of retries: Harvester chooses both', async () => {
    const journey = await begin();
    await journey.create('web', { target: { image: {} } });
    await journey.run('web', isFinished, 100);
    const [image] = await imagesIn(journey);
    expect(Object.keys(image?.spec ?? {}).toSorted()).toEqual(['displayName', 'sourceType', 'url']);
    expect(image?.metadata.annotations).toBeUndefined();
  });

  test('once it runs, its images do not go with the import (reference section 7.6)', async () => {
    const journey = await begin();
    await journey.create('web', target);
    await journey.run('web', ({ status }) => status?.importStatus === 'diskImageSubmitted', 100);
    const [before] = await imagesIn(journey);
    expect(before?.metadata.ownerReferences).toMatchObject([{ kind: 'VirtualMachineImport', name: 'web' }]);
    expect(before?.metadata.ownerReferences?.[0]).not.toHaveProperty('controller');
    await journey.run('web', isFinished, 100);
    const [after] = await imagesIn(journey);
    expect(after?.metadata.ownerReferences ?? []).toEqual([]);
    await journey.delete('web');
    for (let turns = 0; turns < 6; turns += 1) await journey.step('web');
    expect(await journey.inventory()).toEqual([
      `PersistentVolumeClaim ${after?.metadata.name}`,
      `VirtualMachine web`,
      `VirtualMachineImage ${after?.metadata.name}`,
    ]);
  });

  test('W19: makes its own image beside one that an earlier import of its name left', async () => {
    const journey = await begin();
    const labels = {
      'migration.harvesterhci.io/imported': 'true',
      'harvesterhci.io/imageDisplayName': 'vm-import-web-web-disk-0.img',
    };
    await journey.cluster.create(virtualMachineImageKind, {
      apiVersion: 'harvesterhci.io/v1beta1',
      kind: 'VirtualMachineImage',
      metadata: { name: 'image-x7x9k', namespace: 'vms', labels },
      spec: { displayName: 'vm-import-web-web-disk-0.img', sourceType: 'download', url: 'http://old' },
    });
    await journey.create('web', target);
    await journey.run('web', isFinished, 100);
    const { uid = '' } = (await journey.get('web')).metadata;
    const names = (await imagesIn(journey)).map(({ spec }) => spec?.displayName).toSorted();
    expect(names).toEqual([`vm-import-web-${namesOf(uid).id}-disk-0.img`, 'vm-import-web-web-disk-0.img']);
  });

  test('a name that is too long for a label is cut (reference section 7.5)', async () => {
    const journey = await begin();
    const name = `machine-${'x'.repeat(50)}`;
    await journey.create(name, target);
    await journey.run(name, isFinished, 100);
    const [image] = await imagesIn(journey);
    expect(image?.spec?.displayName).toHaveLength(63);
    expect(image?.spec?.displayName).toMatch(/-disk-0\.img$/);
  });

  test('is refused by name where the cluster has no images, or this installation serves none', async () => {
    const journey = await ImportJourney.begin();
    await journey.create('web', target);
    await journey.run('web', isStalledBy('TargetKindNotInstalled'));
    const { status } = await journey.get('web');
    expect(status?.progress?.message).toContain('image');
    expect((await journey.inventory()).filter((each) => !each.startsWith('VirtualMachineImport'))).toEqual([]);
  });

  test('a claim that somebody wants named is none of CDI', async () => {
    const journey = await begin();
    await journey.create('web', { ...target, storageClass: 'fast', disks: [{ index: 0, claimName: 'mine' }] });
    await journey.run('web', isStalledBy('ImportFieldInvalid'));
    await journey.edit('web', { storageClass: 'longhorn' });
    await journey.run('web', isFinished, 100);
    expect(await journey.inventory()).toContain('PersistentVolumeClaim mine');
  });
});

describe('an image that cannot be imported (W1, W2)', () => {
  const failingOnce = (): ImageScript => {
    const seen = new Set<string>();
    return ({ metadata }) => {
      seen.add(metadata.uid ?? '');
      return seen.size === 1
        ? [importingStatus, givenUpStatus('no space left on device')]
        : [importingStatus, importedStatus];
    };
  };

  test("is told in Harvester's own words, removed, and made anew by the next run", async () => {
    const journey = await begin({ images: failingOnce() });
    await journey.create('web', target);
    const passed = await journey.run('web', isFinished, 200);
    expect(passed).toContain('diskImageFailed');
    expect(passed.slice(passed.indexOf('diskImageFailed'))).toEqual([
      'diskImageFailed',
      'sourceReady',
      'disksExported',
      'diskImageSubmitted',
      'diskImagesReady',
      'virtualMachineCreated',
      'virtualMachineRunning',
    ]);
    expect(journey.events).toContainEqual(
      expect.objectContaining({
        type: 'Warning',
        reason: 'ImageImportFailed',
        message: expect.stringContaining('no space left on device'),
      }),
    );
    const { status } = await journey.get('web');
    expect(status?.diskImportStatus?.[0]?.diskConditions).toEqual([
      expect.objectContaining({ type: 'VirtualMachineImageSubmitted', status: 'True' }),
      expect.objectContaining({ type: 'VirtualMachineImageFailed', status: 'False' }),
      expect.objectContaining({ type: 'VirtualMachineImageReady', status: 'True' }),
    ]);
    // Another URL: whoever had the old one gets nothing from it.
    const [image] = await imagesIn(journey);
    expect(image?.spec?.url).toContain('/token-number-2/');
  });

  test('again and again is tried after growing pauses, and is what the status says meanwhile', async () => {
    const begun: number[] = [];
    const journey = await begin({
      images: () => [givenUpStatus('checksum mismatch')],
      work: async (run, own) => {
        begun[run.epoch] ??= own.clock.ms;
        return await finishAtOnce(run, own);
      },
    });
    await journey.create('web', target);
    await journey.run('web', ({ status }) => (status?.progress?.disks?.[0]?.epoch ?? 0) >= 6, 600);
    const pauses = begun.slice(2).map((at, index) => at - (begun[index + 1] ?? 0));
    expect(pauses[3]).toBeGreaterThan(2 * (pauses[0] ?? 0));
    await journey.run('web', ({ status }) => status?.progress?.disks?.[0]?.reason === 'ImageImportFailed', 60);
    expect((await journey.get('web')).status?.progress?.disks?.[0]?.message).toContain('checksum mismatch');
  });

  test('that comes out at another size than the disk is not believed', async () => {
    const wrong = { ...importedStatus, virtualSize: 12 * 1024 ** 3 };
    const journey = await begin({ images: () => [wrong] });
    await journey.create('web', target);
    await journey.run('web', ({ status }) => status?.importStatus === 'diskImageFailed', 100);
    expect(journey.events.at(-1)?.message).toContain(`${12 * 1024 ** 3} bytes`);
  });

  test('that nobody downloads is named as such', async () => {
    const journey = await begin({ images: () => [{}] });
    await journey.create('web', target);
    const frozen = journey.clock.ms;
    journey.restartController();
    await journey.run('web', ({ status }) => status?.importStatus === 'diskImageSubmitted', 100);
    // The worker says the same again and again.
    const { uid = '' } = (await journey.get('web')).metadata;
    const id = namesOf(uid).transfer(0);
    const live = journey.parts.live.get(id);
    if (live !== undefined) journey.parts.live.set(id, { ...live, at: frozen + 20_000 });
    journey.clock.ms += 300_000;
    await journey.step('web');
    expect((await journey.get('web')).status?.progress).toMatchObject({
      phase: 'Stalled',
      reason: 'ImageNotDownloaded',
      nextStep: expect.stringContaining('NetworkPolicies'),
    });
  });

  test('a worker that dies while it serves is followed by one at the same URL', async () => {
    const journey = await begin({
      images: () => [
        importingStatus,
        importingStatus,
        importingStatus,
        importingStatus,
        importingStatus,
        importedStatus,
      ],
      work: async (run, own) => {
        const image = await own.cluster.get(virtualMachineImageKind, {
          namespace: 'vms',
          name: namesOf(run.importUid).image(0),
        });
        if (run.epoch === 1 && image !== undefined) return { exitCode: 137 };
        return await finishAtOnce(run, own);
      },
    });
    await journey.create('web', target);
    await journey.run('web', isFinished, 200);
    const images = await imagesIn(journey);
    expect(images).toHaveLength(1);
    expect(images[0]?.spec?.url).toContain('/token-number-1/');
    expect((await journey.get('web')).status?.progress?.disks?.[0]?.epoch).toBe(3);
  });

  test('an image of its name that is somebody else’s is never touched', async () => {
    const journey = await begin();
    const { metadata } = await journey.create('web', target);
    const name = namesOf(metadata.uid ?? '').image(0);
    await journey.cluster.create(virtualMachineImageKind, {
      apiVersion: 'harvesterhci.io/v1beta1',
      kind: 'VirtualMachineImage',
      metadata: { name, namespace: 'vms' },
      spec: { displayName: 'mine', sourceType: 'upload' },
    });
    await journey.run('web', isStalledBy('ImageExists'), 100);
    expect((await imagesIn(journey))[0]?.spec?.displayName).toBe('mine');
  });
});

test('begun anew while it is served, it stops its worker first and makes another image', async () => {
  let isAsked = false;
  const journey = await begin({ images: () => (isAsked ? [importingStatus, importedStatus] : [importingStatus]) });
  await journey.create('web', target);
  await journey.run('web', ({ status }) => status?.importStatus === 'diskImageSubmitted', 100);
  const [before] = await imagesIn(journey);
  isAsked = true;
  await journey.edit('web', { retry: 'now' });
  await journey.run('web', isFinished, 200);
  const [after, ...others] = await imagesIn(journey);
  expect(others).toEqual([]);
  expect(after?.metadata.uid).not.toBe(before?.metadata.uid);
  expect(after?.spec?.url).not.toBe(before?.spec?.url);
  expect((await journey.get('web')).status?.progress).toMatchObject({ retry: 'now', attempt: 2 });
});

describe('deleting an import of images', () => {
  const phases: readonly [name: string, until: (each: StoredVirtualMachineImport) => boolean][] = [
    ['while it is served', ({ status }) => status?.importStatus === 'disksExported'],
    ['while it is downloaded', ({ status }) => status?.importStatus === 'diskImageSubmitted'],
    ['while it is proven', ({ status }) => status?.progress?.disks?.[0]?.epoch === 2],
  ];
  test.each(phases)('%s leaves nothing', async (_, until) => {
    const journey = await begin();
    await journey.create('web', target);
    await journey.run('web', until, 100);
    await journey.delete('web');
    journey.restartController();
    for (let turns = 0; turns < 14; turns += 1) {
      await journey.step('web');
      await journey.turn();
    }
    expect(await journey.inventory()).toEqual([]);
  });

  test('the controller killed after each of its writes ends in the same state', async () => {
    const reference = await begin();
    await reference.create('web', target);
    await reference.run('web', isFinished, 100);
    const inventory = (await reference.inventory()).map((each) => each.replace(/[a-z2-7]{10}/, 'ID'));
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
      const left = (await journey.inventory()).map((each) => each.replace(/[a-z2-7]{10}/, 'ID'));
      expect(left, `after write ${dieAfter}`).toEqual(inventory);
    }
  });
});

describe('imports of the old controller with their images (ruling 15)', () => {
  async function adopt(
    state: 'diskImagesReady' | 'diskImageSubmitted' | 'diskImageFailed',
    { status = importedStatus, script }: { readonly status?: object; readonly script?: ImageScript } = {},
  ): Promise<ImportJourney> {
    const journey = await begin({ images: script ?? (() => []) });
    await journey.cluster.create(ovaSourceKind, {
      apiVersion: 'migration.harvesterhci.io/v1beta1',
      kind: 'OvaSource',
      metadata: { name: 'full-ova', namespace: 'vms' },
      spec: { url: 'https://files.example/app.ova' },
    });
    const old = importInState(state, { name: 'web', namespace: 'vms', image: 'image-x7x9k' });
    const { metadata } = await journey.cluster.create(virtualMachineImportKind, { ...old, status: undefined } as never);
    await journey.cluster.patch(
      virtualMachineImportKind,
      { namespace: 'vms', name: 'web' },
      { status: old.status as never },
      { subresource: 'status' },
    );
    await journey.cluster.create(virtualMachineImageKind, {
      apiVersion: 'harvesterhci.io/v1beta1',
      kind: 'VirtualMachineImage',
      metadata: {
        name: 'image-x7x9k',
        namespace: 'vms',
        labels: { 'migration.harvesterhci.io/imported': 'true' },
        ownerReferences: [
          {
            apiVersion: 'migration.harvesterhci.io/v1beta1',
            kind: 'VirtualMachineImport',
            name: 'web',
            uid: metadata.uid ?? '',
          },
        ],
      },
      spec: {
        displayName: 'vm-import-web-web.img',
        sourceType: 'download',
        url: 'http://old:8080/web.img',
        backend: 'backingimage',
      },
      status: status as never,
    });
    return journey;
  }

  test('images that are ready become the machine, without a byte copied', async () => {
    const journey = await adopt('diskImagesReady');
    const passed = await journey.run('web', isFinished, 100);
    expect(passed).toEqual(['diskImagesReady', 'virtualMachineCreated', 'virtualMachineRunning']);
    const machine = await journey.cluster.get(virtualMachineKind, { namespace: 'vms', name: 'web' });
    expect(machine?.spec?.template?.spec?.volumes).toEqual([
      { name: 'disk-0', persistentVolumeClaim: { claimName: 'image-x7x9k' } },
    ]);
    expect((await journey.inventory()).filter((each) => /^(Job|Pod) /.test(each))).toEqual([]);
    const { status } = await journey.get('web');
    expect(status?.diskImportStatus?.[0]).toMatchObject({
      VirtualMachineImage: 'image-x7x9k',
      diskName: expect.any(String),
    });
    // The old controller would have taken itself off them.
    expect((await imagesIn(journey))[0]?.metadata.ownerReferences ?? []).toEqual([]);
  });

  test('the same after something was in the way first, and the controller was restarted', async () => {
    const journey = await adopt('diskImagesReady');
    await journey.edit('web', { networkMapping: [{ sourceNetwork: 'a', destinationNetwork: 'gone' }] });
    await journey.run('web', isStalledBy('NetworkMissing'), 100);
    expect((await journey.get('web')).status?.importStatus).toBe('diskImagesReady');
    journey.restartController();
    await journey.edit('web', { networkMapping: [] });
    await journey.run('web', isFinished, 100);
    expect(await journey.inventory()).toContain('PersistentVolumeClaim image-x7x9k');
  });

  test('a volume that the old controller made of its image is used', async () => {
    const journey = await adopt('diskImagesReady');
    await journey.cluster.create(persistentVolumeClaimKind, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: 'image-x7x9k',
        namespace: 'vms',
        annotations: { 'harvesterhci.io/imageId': 'vms/image-x7x9k' },
      },
      spec: { accessModes: ['ReadWriteMany'], volumeMode: 'Block' },
    });
    await journey.run('web', isFinished, 100);
  });

  test('an image that is gone is named, and the disks are imported anew when somebody asks for it', async () => {
    const journey = await adopt('diskImagesReady');
    await journey.cluster.delete(virtualMachineImageKind, { namespace: 'vms', name: 'image-x7x9k' });
    await journey.run('web', isStalledBy('ImageMissing'), 100);
    await journey.edit('web', { retry: 'now' });
    await journey.run('web', isFinished, 100);
    // By its own word, which says nothing: onto a volume.
    expect(await journey.inventory()).toContain('PersistentVolumeClaim web-disk-0');
  });

  test.each(['diskImageSubmitted', 'diskImageFailed'] as const)(
    'those left as %s begin again, and the images they owned are removed',
    async (state) => {
      const journey = await adopt(state, { status: importingStatus });
      await journey.run('web', isFinished, 100);
      expect(await imagesIn(journey)).toEqual([]);
      expect(await journey.inventory()).toContain('PersistentVolumeClaim web-disk-0');
    },
  );

  test('deleted before there is a machine, its images go', async () => {
    const journey = await adopt('diskImagesReady');
    await journey.edit('web', { suspend: true });
    await journey.step('web');
    await journey.delete('web');
    for (let turns = 0; turns < 8; turns += 1) {
      await journey.step('web');
      await journey.turn();
    }
    expect(await imagesIn(journey)).toEqual([]);
  });
});

test('a run that is over reports nothing for an image that was given up meanwhile', async () => {
  const journey = await begin({ images: () => [importingStatus] });
  await journey.create('web', target);
  await journey.run('web', ({ status }) => status?.importStatus === 'diskImageSubmitted', 100);
  const { uid = '' } = (await journey.get('web')).metadata;
  const place = await placeOf({ importUid: uid, importName: 'web', namespace: 'vms', disk: 0, epoch: 1 }, journey);
  await journey.parts.transfers.begin(place, 2, { image: { stage: 'serve', imageToken: 'next' } });
  await expect(journey.parts.transfers.saveServed(place, 1, {} as never)).rejects.toMatchObject({
    code: 'TransferSuperseded',
  });
});
