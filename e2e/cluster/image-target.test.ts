// A disk becomes a Harvester image on a real cluster: the product's own image in real Pods serves and proves it; what downloads it, and Longhorn's storage, are the test's.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VirtualMachineImage } from '../../src/api/platform-kinds.ts';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { findFreePort } from '../../src/testing/cluster/free-port.ts';
import type { LocalVolume } from '../../src/testing/cluster/node/local-volume.ts';
import { downloadAsLonghorn } from '../../src/testing/fake-image-downloader.ts';
import { requireTool } from '../../src/testing/require-tool.ts';
import { qemuImg, temporaryFolder } from '../support.ts';
import { type Appliance, buildAppliance, expectSame, ImportWorld } from './import-harness.ts';
import { importObject, PASSWORD, sourceObjects } from './import-objects.ts';

const MIB = 1024 * 1024;

describe.skipIf(!canStartNode() || !requireTool('qemu-img'))(
  'a disk becomes an image of Harvester in a cluster',
  () => {
    let world: ImportWorld;
    let web: Appliance;
    let folder: ReturnType<typeof temporaryFolder>;
    const settings: Readonly<Record<string, string>> = {};

    beforeAll(async () => {
      folder = temporaryFolder();
      web = await buildAppliance(96 * MIB, 60 * MIB);
      world = await ImportWorld.start();
      await world.cluster.installCrds(['harvester']);
      // The class that the user names; Harvester makes one of its own for each image.
      await world.cluster.apply([
        {
          apiVersion: 'storage.k8s.io/v1',
          kind: 'StorageClass',
          metadata: { name: 'longhorn' },
          provisioner: 'driver.longhorn.io',
          parameters: { dataEngine: 'v1', migratable: 'true' },
        },
      ]);
      const server = await world.serve({ '/web.ova': web.ova });
      await world.cluster.apply(sourceObjects({ name: 'files', url: server.url('/web.ova') }));
      const port = await findFreePort(world.cluster.hostAddress);
      await world.startController({
        AIRLIFT_IMAGE_PORT: String(port),
        AIRLIFT_IMAGE_URL: `http://${world.cluster.hostAddress}:${port}`,
      });
    });
    afterAll(async () => {
      await world?.[Symbol.asyncDispose]();
      folder?.[Symbol.dispose]();
    });

    async function imageOf(importName: string): Promise<VirtualMachineImage | undefined> {
      const { metadata } = await world.readImport(importName);
      const labels = `migration.harvesterhci.io/import-uid=${metadata.uid}`;
      return JSON.parse(await world.cluster.kubectl(['get', 'virtualmachineimages', '-l', labels, '-o', 'json']))
        .items[0];
    }

    /** What Harvester's controller and Longhorn do with an image: download it, and have a class whose volumes are its disk. */
    async function importImage(importName: string, volume: LocalVolume): Promise<string> {
      let image: VirtualMachineImage | undefined;
      await world.eventually(async () => {
        image = await imageOf(importName);
        return image !== undefined;
      });
      const { name = '' } = image?.metadata ?? {};
      const file = join(folder.path, `${name}.img`);
      const { sizeBytes, virtualSizeBytes } = await downloadAsLonghorn(image?.spec?.url ?? '', file);
      qemuImg('convert', '-n', '-O', 'raw', '-f', 'qcow2', file, volume.device);
      const condition = (type: string, status: string) => ({ type, status });
      await patchImage(name, {
        progress: 100,
        size: sizeBytes,
        virtualSize: virtualSizeBytes,
        storageClassName: volume.storageClass,
        conditions: [condition('Initialized', 'True'), condition('Imported', 'True')],
      });
      return file;
    }

    async function patchImage(name: string, status: object): Promise<void> {
      const patch = JSON.stringify({ status });
      await world.cluster.kubectl(['patch', 'virtualmachineimage', name, '--type', 'merge', '-p', patch]);
    }

    const spec = { storageClass: 'longhorn', target: { image: {} } };

    test('served by one Pod, downloaded by its URL, proven by another Pod on the volume made of it', async () => {
      const { cluster } = world;
      const volume = await cluster.node.createVolume({
        name: 'image-web',
        sizeBytes: 96 * MIB,
        volumeMode: 'Block',
        accessModes: ['ReadWriteMany'],
      });
      await cluster.apply([importObject({ name: 'web', source: 'files' }, spec)]);
      const file = await importImage('web', volume);
      expect(JSON.parse(qemuImg('check', '--output', 'json', file))).toMatchObject({ 'check-errors': 0 });
      await world.waitForPhase('web', 'Finished');
      await expectSame(volume, web.content);

      const { status, metadata } = await world.readImport('web');
      const image = await imageOf('web');
      expect(status?.importStatus).toBe('virtualMachineRunning');
      expect(status?.diskImportStatus?.[0]).toMatchObject({ VirtualMachineImage: image?.metadata.name });
      expect(status?.progress?.disks?.[0]?.digestRoot).toMatch(/^[0-9a-f]{64}$/);
      const machine = JSON.parse(await cluster.kubectl(['get', 'vm', 'web', '-o', 'json']));
      expect(machine.spec.template.spec.volumes).toEqual([
        { name: 'disk-0', persistentVolumeClaim: { claimName: image?.metadata.name } },
      ]);
      // It is the user's now.
      expect(image?.metadata.ownerReferences ?? []).toEqual([]);
      expect(image?.spec?.url).toContain(`/images/${metadata.uid}.0/`);
      // The token is in the object and nowhere else that people look.
      const token = image?.spec?.url?.split('/').at(-2) ?? '';
      expect(token.length).toBeGreaterThan(30);
      expect(world.controllerOutput).not.toContain(token);
      expect(world.controllerOutput).not.toContain(PASSWORD);
      // And its URL leads nowhere any more.
      expect((await fetch(image?.spec?.url ?? '', { method: 'HEAD', redirect: 'manual' })).status).toBe(503);
    });

    test('an image that fails is told in the words of Harvester, and made anew by itself', async () => {
      const { cluster } = world;
      const volume = await cluster.node.createVolume({
        name: 'image-again',
        sizeBytes: 96 * MIB,
        volumeMode: 'Block',
        accessModes: ['ReadWriteMany'],
      });
      await cluster.apply([importObject({ name: 'again', source: 'files' }, spec)]);
      let first: VirtualMachineImage | undefined;
      await world.eventually(async () => {
        first = await imageOf('again');
        return first !== undefined;
      });
      const message = 'retry attempted 3/3 failed due to error: no space left on device';
      await patchImage(first?.metadata.name ?? '', {
        failed: 4,
        conditions: [
          { type: 'Imported', status: 'False', message },
          { type: 'RetryLimitExceeded', status: 'True', message },
        ],
      });
      await world.eventually(async () => {
        const image = await imageOf('again');
        return image !== undefined && image.metadata.uid !== first?.metadata.uid;
      });
      const events = await cluster.kubectl([
        'get',
        'events',
        '--field-selector',
        'reason=ImageImportFailed',
        '-o',
        'yaml',
      ]);
      expect(events).toContain('no space left on device');
      expect((await imageOf('again'))?.spec?.url).not.toBe(first?.spec?.url);
      expect((await fetch(first?.spec?.url ?? '', { method: 'HEAD' })).status).toBe(404);
      await importImage('again', volume);
      await world.waitForPhase('again', 'Finished');
    });

    test('deleted while it is downloaded, it leaves nothing, and its URL leads nowhere', async () => {
      const { cluster } = world;
      await cluster.apply([importObject({ name: 'gone', source: 'files' }, spec)]);
      let image: VirtualMachineImage | undefined;
      await world.eventually(async () => {
        image = await imageOf('gone');
        return image !== undefined;
      });
      const url = image?.spec?.url ?? '';
      const { uid = '' } = (await world.readImport('gone')).metadata;
      const answer = await fetch(url);
      const reader = answer.body?.getReader();
      await reader?.read();
      await cluster.kubectl(['delete', 'vmimport', 'gone', '--wait=false']);
      await world.eventually(async () => (await leftOf(uid)) === '');
      await world.eventually(async () => !(await world.inventory()).some((each) => each.endsWith('/gone')));
      await reader?.cancel().catch(() => {});
      expect((await fetch(url, { method: 'HEAD' })).status).toBe(404);
    });

    async function leftOf(importUid: string): Promise<string> {
      const kinds = 'jobs,pods,configmaps,pvc,virtualmachineimages';
      return await world.cluster.kubectl([
        'get',
        kinds,
        '-l',
        `migration.harvesterhci.io/import-uid=${importUid}`,
        '-o',
        'name',
      ]);
    }

    test("the old controller's ready image becomes a machine with the image's own volume", async () => {
      const { cluster } = world;
      const volume = await cluster.node.createVolume({
        name: 'image-old',
        sizeBytes: 96 * MIB,
        volumeMode: 'Block',
        accessModes: ['ReadWriteMany'],
      });
      await world.stopController();
      await cluster.apply([importObject({ name: 'old', source: 'files' }, { storageClass: 'longhorn' })]);
      const { metadata } = await world.readImport('old');
      const owner = {
        apiVersion: 'migration.harvesterhci.io/v1beta1',
        kind: 'VirtualMachineImport',
        name: 'old',
        uid: metadata.uid,
      };
      await cluster.apply([
        {
          apiVersion: 'harvesterhci.io/v1beta1',
          kind: 'VirtualMachineImage',
          metadata: {
            name: 'image-x7x9k',
            namespace: 'default',
            labels: { 'migration.harvesterhci.io/imported': 'true' },
            ownerReferences: [owner],
          },
          spec: {
            displayName: 'vm-import-old-old.img',
            sourceType: 'download',
            url: 'http://old:8080/old.img',
            retry: 0,
          },
        },
      ]);
      await patchImage('image-x7x9k', {
        size: 96 * MIB,
        storageClassName: volume.storageClass,
        conditions: [{ type: 'Imported', status: 'True' }],
      });
      const status = {
        importStatus: 'diskImagesReady',
        importedVirtualMachineName: 'old',
        diskImportStatus: [
          { diskName: 'old.img', diskSize: 96 * MIB, VirtualMachineImage: 'image-x7x9k', busType: 'sata' },
        ],
      };
      const patch = JSON.stringify({ status });
      await cluster.kubectl(['patch', 'vmimport', 'old', '--subresource', 'status', '--type', 'merge', '-p', patch]);
      await world.restartController(settings);
      await world.waitForPhase('old', 'Finished');
      const claim = JSON.parse(await cluster.kubectl(['get', 'pvc', 'image-x7x9k', '-o', 'json']));
      expect(claim.metadata.annotations['harvesterhci.io/imageId']).toBe('default/image-x7x9k');
      const image = JSON.parse(await cluster.kubectl(['get', 'virtualmachineimage', 'image-x7x9k', '-o', 'json']));
      expect(image.metadata.ownerReferences ?? []).toEqual([]);
      expect((await world.podsOf('old')).length).toBe(0);
    });
  },
);
