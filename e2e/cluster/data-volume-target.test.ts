// A disk is sent to CDI on a real cluster with CDI's own kinds: the product's image in real Pods sends and proves it; what makes the volume and writes it is the test's.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DataVolume } from '../../src/api/platform-kinds.ts';
import { createCertificate } from '../../src/controller/endpoint/create-certificate.ts';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import type { LocalVolume } from '../../src/testing/cluster/node/local-volume.ts';
import { FakeUploadProxy } from '../../src/testing/fake-upload-proxy.ts';
import { type Appliance, buildAppliance, expectSame, ImportWorld } from './import-harness.ts';
import { importObject, PASSWORD, sourceObjects } from './import-objects.ts';

const MIB = 1024 * 1024;
const TOKEN = 'a-token-for-one-volume';

describe.skipIf(!canStartNode())('a disk is sent to CDI in a cluster', () => {
  let world: ImportWorld;
  let web: Appliance;
  let volume: LocalVolume;
  let proxy: FakeUploadProxy;

  beforeAll(async () => {
    web = await buildAppliance(96 * MIB, 60 * MIB);
    world = await ImportWorld.start();
    const { cluster } = world;
    await cluster.installCrds(['cdi']);
    volume = await cluster.node.createVolume({ name: 'cdi-web', sizeBytes: 96 * MIB, volumeMode: 'Block' });
    const certificate = await createCertificate({ names: [cluster.hostAddress], now: Date.now() });
    proxy = await FakeUploadProxy.start({ certificate, path: volume.device, address: cluster.hostAddress });
    proxy.tokens.add(TOKEN);
    await cluster.apply([
      tokenRequests,
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'cdi' } },
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'cdi-uploadproxy-signer-bundle', namespace: 'cdi' },
        data: { 'ca-bundle.crt': certificate.caPem },
      },
    ]);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', tokenRequests.metadata.name]);
    const server = await world.serve({ '/web.ova': web.ova });
    await cluster.apply(sourceObjects({ name: 'files', url: server.url('/web.ova') }));
    await world.startController({ AIRLIFT_CDI_NAMESPACE: 'cdi', AIRLIFT_UPLOAD_PROXY_URL: proxy.url });
  });
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  async function dataVolumeOf(importName: string): Promise<DataVolume> {
    const { metadata } = await world.readImport(importName);
    const labels = `migration.harvesterhci.io/import-uid=${metadata.uid}`;
    let found: DataVolume | undefined;
    await world.eventually(async () => {
      found = JSON.parse(await world.cluster.kubectl(['get', 'datavolumes', '-l', labels, '-o', 'json'])).items[0];
      return found !== undefined;
    });
    if (found === undefined) throw new Error('no DataVolume');
    return found;
  }

  /** What CDI's controllers do first: a claim of the DataVolume's name and labels, which takes the test's volume. */
  async function makeClaim({ metadata, spec }: DataVolume, volumeName: string): Promise<void> {
    const { name, namespace, labels, uid } = metadata;
    const owner = { apiVersion: 'cdi.kubevirt.io/v1beta1', kind: 'DataVolume', name, uid, controller: true };
    await world.cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace, labels, ownerReferences: [owner] },
        spec: { ...spec?.storage, volumeName },
      },
    ]);
  }

  async function setPhase({ metadata: { name } }: DataVolume, phase: string): Promise<void> {
    const patch = JSON.stringify({ status: { phase } });
    const args = ['patch', 'datavolume', name, '--subresource=status', '--type', 'merge', '-p', patch];
    await world.cluster.kubectl(args);
  }

  const spec = { storageClass: 'local-wait', target: { dataVolume: {} } };

  test('sent by one Pod once CDI takes it, and proven by another on the volume that CDI wrote', async () => {
    const { cluster } = world;
    await cluster.apply([importObject({ name: 'web', source: 'files' }, spec)]);
    const dataVolume = await dataVolumeOf('web');
    // As the real kind took it, without a field that it does not know.
    expect(dataVolume.spec).toEqual({
      source: { upload: {} },
      storage: {
        accessModes: ['ReadWriteOnce'],
        volumeMode: expect.any(String),
        storageClassName: 'local-wait',
        resources: { requests: { storage: '96Mi' } },
      },
    });
    await makeClaim(dataVolume, volume.name);
    await setPhase(dataVolume, 'UploadScheduled');
    await world.runningPodOf('web');
    expect(proxy.answers).toEqual([]);
    await setPhase(dataVolume, 'UploadReady');
    await world.eventually(async () => proxy.isDone);
    await setPhase(dataVolume, 'Succeeded');
    await world.waitForPhase('web', 'Finished');
    await expectSame(volume, web.content);

    const { status } = await world.readImport('web');
    expect(status?.importStatus).toBe('virtualMachineRunning');
    expect(status?.progress?.disks?.[0]).toMatchObject({ phase: 'Done', digestRoot: expect.any(String) });
    const machine = JSON.parse(await cluster.kubectl(['get', 'vm', 'web', '-o', 'json']));
    expect(machine.spec.template.spec.volumes).toEqual([
      { name: 'disk-0', persistentVolumeClaim: { claimName: dataVolume.metadata.name } },
    ]);
    const logs = await cluster.kubectl([
      'logs',
      '--all-containers',
      '--prefix',
      '-l',
      'migration.harvesterhci.io/disk=0',
    ]);
    for (const secret of [TOKEN, PASSWORD]) {
      expect(logs).not.toContain(secret);
      expect(world.controllerOutput).not.toContain(secret);
    }
  });

  test('deleted while CDI is not ready, it leaves nothing', async () => {
    const { cluster } = world;
    await cluster.apply([importObject({ name: 'gone', source: 'files' }, spec)]);
    const dataVolume = await dataVolumeOf('gone');
    await setPhase(dataVolume, 'UploadScheduled');
    await world.runningPodOf('gone');
    const { uid } = (await world.readImport('gone')).metadata;
    await cluster.kubectl(['delete', 'vmimport', 'gone', '--wait=false']);
    const kinds = 'jobs,pods,configmaps,pvc,datavolumes';
    const labels = `migration.harvesterhci.io/import-uid=${uid}`;
    await world.eventually(async () => (await cluster.kubectl(['get', kinds, '-l', labels, '-o', 'name'])) === '');
    await world.eventually(async () => !(await world.inventory()).some((each) => each.endsWith('/gone')));
  });
});

/** In the place of CDI's own API server, which answers each request with a token and stores nothing: here the schema fills it in. */
const tokenRequests = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'uploadtokenrequests.upload.cdi.kubevirt.io' },
  spec: {
    group: 'upload.cdi.kubevirt.io',
    scope: 'Namespaced',
    names: { kind: 'UploadTokenRequest', plural: 'uploadtokenrequests', singular: 'uploadtokenrequest' },
    versions: [
      {
        name: 'v1beta1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { pvcName: { type: 'string' } }, required: ['pvcName'] },
              status: {
                type: 'object',
                default: {},
                properties: { token: { type: 'string', default: TOKEN } },
              },
            },
          },
        },
      },
    ],
  },
};
