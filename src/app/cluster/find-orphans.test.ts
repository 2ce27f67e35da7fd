import { beforeEach, describe, expect, test } from 'vitest';
import { configMapKind, jobKind, persistentVolumeClaimKind, podKind } from '../../api/core-kinds.ts';
import { IMAGE_ID_ANNOTATION, VOLUME_CLAIM_TEMPLATES_ANNOTATION } from '../../api/literals.ts';
import { dataVolumeKind, virtualMachineImageKind, virtualMachineKind } from '../../api/platform-kinds.ts';
import { ProblemError } from '../../domain/problems.ts';
import {
  aClaim,
  aClusterFor,
  aJob,
  aPod,
  aVirtualMachine,
  madeBy,
  NAMESPACE,
  store,
  storeImport,
} from '../../testing/cluster-samples.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import type { MemoryCluster } from '../../testing/memory-cluster.ts';
import { findOrphans } from './find-orphans.ts';

let cluster: MemoryCluster;
beforeEach(() => {
  cluster = aClusterFor(new FakeClock());
});

const GONE = 'uid-of-a-deleted-import';
const find = async () => (await findOrphans(cluster, { namespace: NAMESPACE })).orphans.map(({ name }) => name);
const disk = (name: string, importUid = GONE) =>
  store(cluster, persistentVolumeClaimKind, aClaim(name, madeBy(importUid, 0)));
const mounting = (claimName: string) => ({
  spec: { volumes: [{ name: 'disk', persistentVolumeClaim: { claimName } }] },
});
const image = (name: string, importUid = GONE) =>
  cluster.create(virtualMachineImageKind, {
    apiVersion: 'harvesterhci.io/v1beta1',
    kind: 'VirtualMachineImage',
    metadata: { name, namespace: NAMESPACE, labels: madeBy(importUid, 0) },
  });

describe('findOrphans', () => {
  test('what belongs to an import that is there is none, what belongs to none is one', async () => {
    const { uid = '' } = (await storeImport(cluster)).metadata;
    await store(cluster, jobKind, aJob('job-alive', madeBy(uid, 0, 1)));
    await disk('disk-alive', uid);
    await store(cluster, jobKind, aJob('job-left', madeBy(GONE, 0, 1)));
    await disk('disk-left');
    const { orphans, unseen } = await findOrphans(cluster, {});
    expect(orphans).toMatchObject([
      { name: 'job-left', namespace: NAMESPACE, importUid: GONE, holdsData: false },
      { name: 'disk-left', holdsData: true },
    ]);
    expect(unseen).toEqual([]);
  });

  test('what others labelled is not looked at', async () => {
    await store(cluster, jobKind, aJob('foreign', { 'app.kubernetes.io/managed-by': 'helm' }));
    await store(cluster, jobKind, aJob('ours-of-no-import', { 'app.kubernetes.io/managed-by': 'airlift' }));
    expect(await find()).toEqual([]);
  });

  test('what is going already is none', async () => {
    const metadata = { name: 'plan', namespace: NAMESPACE, labels: madeBy(GONE), finalizers: ['example.com/hold'] };
    await cluster.create(configMapKind, { apiVersion: 'v1', kind: 'ConfigMap', metadata });
    expect(await find()).toEqual(['plan']);
    await cluster.delete(configMapKind, { namespace: NAMESPACE, name: 'plan' });
    expect(await find()).toEqual([]);
  });

  test('an import made while it looks is known by the time it judges', async () => {
    let isMade = false;
    const slow = cluster.connect('slow');
    const { uid = '' } = (await storeImport(cluster)).metadata;
    await disk('disk-new', uid);
    cluster.failNext(({ client, verb, kind }) => {
      if (client === 'slow' && verb === 'list' && kind.kind === 'VirtualMachineImport') isMade = true;
      return client === 'slow' && kind.kind === 'PersistentVolumeClaim' && isMade;
    }, new Error('volumes were listed after the imports'));
    expect((await findOrphans(slow, {})).orphans).toEqual([]);
  });
});

describe('a volume is no orphan', () => {
  test('while a machine mounts it', async () => {
    await disk('used');
    await disk('unused');
    await store(cluster, virtualMachineKind, aVirtualMachine('anothers', {}, ['used']));
    expect(await find()).toEqual(['unused']);
  });

  test('while the machine of its import is there, mounted or not', async () => {
    await disk('detached');
    await store(cluster, virtualMachineKind, aVirtualMachine('web', madeBy(GONE)));
    expect(await find()).toEqual([]);
  });

  test('while Harvester counts it among the volumes of a machine', async () => {
    await disk('counted');
    const templates = JSON.stringify([{ metadata: { name: 'counted' } }]);
    const annotations = { [VOLUME_CLAIM_TEMPLATES_ANNOTATION]: templates };
    await store(cluster, virtualMachineKind, aVirtualMachine('anothers', {}, [], annotations));
    expect(await find()).toEqual([]);
  });

  test.each(['nonsense', '{}', 'null', '[null]'])('and a record "%s" on a machine breaks nothing', async (text) => {
    await disk('left');
    const annotations = { [VOLUME_CLAIM_TEMPLATES_ANNOTATION]: text };
    await store(cluster, virtualMachineKind, aVirtualMachine('anothers', {}, [], annotations));
    expect(await find()).toEqual(['left']);
  });

  test('while a Pod mounts it that has not ended', async () => {
    await disk('used');
    await store(cluster, podKind, aPod('reader', {}, { ...mounting('used'), status: { phase: 'Running' } }));
    expect(await find()).toEqual([]);
  });

  test.each(['Succeeded', 'Failed'] as const)('but a Pod that %s holds nothing', async (phase) => {
    await disk('left');
    await store(cluster, podKind, aPod('reader', {}, { ...mounting('left'), status: { phase } }));
    expect(await find()).toEqual(['left']);
  });

  test('and a Pod that is left behind itself holds nothing either', async () => {
    await disk('left');
    const worker = aPod('worker', madeBy(GONE, 0, 1), { ...mounting('left'), status: { phase: 'Running' } });
    await store(cluster, podKind, worker);
    expect(await find()).toEqual(['worker', 'left']);
  });

  test('of another namespace that only has the same name', async () => {
    await disk('disk');
    const elsewhere = aVirtualMachine('web', {}, ['disk']);
    await cluster.create(virtualMachineKind, { ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'other' } });
    expect((await findOrphans(cluster, {})).orphans.map(({ name }) => name)).toEqual(['disk']);
  });
});

describe('a DataVolume', () => {
  const dataVolume = (name: string) =>
    cluster.create(dataVolumeKind, {
      apiVersion: 'cdi.kubevirt.io/v1beta1',
      kind: 'DataVolume',
      metadata: { name, namespace: NAMESPACE, labels: madeBy(GONE, 0) },
    });

  test('is none while a machine mounts its claim, which would go with it', async () => {
    await dataVolume('used');
    await dataVolume('left');
    await store(cluster, virtualMachineKind, aVirtualMachine('anothers', {}, ['used']));
    expect(await find()).toEqual(['left']);
  });

  test("goes before its claim; CDI's own Pod that waits for an upload is no use of it", async () => {
    await dataVolume('left');
    await disk('left');
    const labels = { app: 'containerized-data-importer' };
    await store(
      cluster,
      podKind,
      aPod('cdi-upload-left', labels, { ...mounting('left'), status: { phase: 'Running' } }),
    );
    const { orphans } = await findOrphans(cluster, {});
    expect(orphans.map(({ kind, holdsData }) => [kind.kind, holdsData])).toEqual([
      ['DataVolume', true],
      ['PersistentVolumeClaim', true],
    ]);
  });
});

describe('an image is no orphan', () => {
  test('while a volume lies on it that is in use, whoever made that', async () => {
    await image('image-used');
    await image('image-left');
    const annotations = { [IMAGE_ID_ANNOTATION]: `${NAMESPACE}/image-used` };
    const claim = aClaim('clone', {});
    await store(cluster, persistentVolumeClaimKind, { ...claim, metadata: { ...claim.metadata, annotations } });
    expect(await find()).toEqual(['image-left']);
  });

  test('but goes with the volume that was left behind with it', async () => {
    await image('image-left');
    const claim = aClaim('disk-left', madeBy(GONE, 0));
    const annotations = { [IMAGE_ID_ANNOTATION]: `${NAMESPACE}/image-left` };
    await store(cluster, persistentVolumeClaimKind, { ...claim, metadata: { ...claim.metadata, annotations } });
    expect((await find()).toSorted()).toEqual(['disk-left', 'image-left']);
  });
});

describe('what may not be looked at', () => {
  const refusal = (what: string) => new ProblemError('ClusterForbidden', `may not list ${what} in namespace vms`);

  test.each(['VirtualMachine', 'Pod'])('without a look at %ss no volume is judged', async (kind) => {
    await disk('left');
    await store(cluster, jobKind, aJob('job-left', madeBy(GONE, 0, 1)));
    // Pods are listed twice: those that imports made, and all.
    cluster.failNext({ verb: 'list', kind }, refusal(kind), { times: 2 });
    const { orphans, unseen } = await findOrphans(cluster, { namespace: NAMESPACE });
    expect(orphans.map(({ name }) => name)).toEqual(['job-left']);
    expect(unseen.length).toBeGreaterThan(0);
  });

  test('without a look at imports everything would be one, so nothing is', async () => {
    await disk('left');
    cluster.failNext({ verb: 'list', kind: 'VirtualMachineImport' }, refusal('virtualmachineimports'));
    await expect(find()).rejects.toMatchObject({ code: 'ClusterForbidden' });
  });

  test('a kind that is not installed has no objects', async () => {
    await disk('left');
    cluster.uninstall(virtualMachineKind);
    cluster.uninstall(virtualMachineImageKind);
    const { orphans, unseen } = await findOrphans(cluster, { namespace: NAMESPACE });
    expect(orphans.map(({ name }) => name)).toEqual(['left']);
    expect(unseen).toEqual([]);
  });
});
