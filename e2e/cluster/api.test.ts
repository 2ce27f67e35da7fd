// Our kinds before a real API server: installed where nothing is, and over those of the controller they come from, whose stored objects must stay what they are.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { readVirtualMachineImport } from '../../src/api/virtual-machine-import.ts';
import type { KubernetesObject } from '../../src/domain/kubernetes-object.ts';
import { installCrds } from '../../src/testing/cluster/crds/install-crds.ts';
import { startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { upstreamCrds } from '../../src/testing/upstream/crds.ts';
import {
  fullObjects,
  importInState,
  oddObjects,
  type UpstreamObject,
  upstreamStates,
} from '../../src/testing/upstream/objects.ts';

const PLURALS = 'vmwaresources,openstacksources,ovasources,virtualmachineimports';
const API_VERSION = 'migration.harvesterhci.io/v1beta1';
const ours = customResourceDefinitions();
const storedObjects = [...fullObjects, ...oddObjects, ...upstreamStates.map((state) => importInState(state))];

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** As the old controller does it when it starts: created, or written as a whole. */
async function installUpstreamCrds(verb: 'create' | 'replace'): Promise<void> {
  await cluster.kubectl([verb, '-f', '-'], { input: documents(upstreamCrds) });
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=60s', '-f', '-'], {
    input: documents(upstreamCrds),
  });
  await untilSchemaOf('upstream');
}

/** A changed schema is in force a moment after the CRD was written. What the API says of itself comes last. */
async function untilSchemaOf(who: 'upstream' | 'ours'): Promise<void> {
  const path = `/openapi/v3/apis/${API_VERSION}`;
  await vi.waitFor(
    async () => {
      const text = await cluster.kubectl(['get', '--raw', path]);
      expect(text.includes('insecureSkipTLSVerify')).toBe(who === 'ours');
    },
    { timeout: 30_000, interval: 200 },
  );
}

async function installOurs(): Promise<void> {
  await installCrds(cluster.kubectl, ours);
  await untilSchemaOf('ours');
}

/** As the old controller does it: the object, then its status. `kubectl create` refuses fields that the server does not know. */
async function store(objects: readonly UpstreamObject[]): Promise<void> {
  await cluster.kubectl(['create', '-f', '-'], { input: documents(objects) });
  const withStatus = objects.filter(({ status }) => status !== undefined);
  await cluster.kubectl(['replace', '--subresource=status', '-f', '-'], { input: documents(withStatus) });
}

function documents(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

async function list(): Promise<KubernetesObject[]> {
  const text = await cluster.kubectl(['get', PLURALS, '--all-namespaces', '-o', 'json', '--show-managed-fields']);
  return (JSON.parse(text) as { items: KubernetesObject[] }).items;
}

/** The same merge patch to each of them. */
async function patchAll(objects: readonly KubernetesObject[], patch: object, ...args: string[]): Promise<void> {
  const input = documents(
    objects.map(({ apiVersion, kind, metadata: { name, namespace } }) => ({
      apiVersion,
      kind,
      metadata: { name, namespace },
    })),
  );
  await cluster.kubectl(['patch', '--type=merge', ...args, '-p', JSON.stringify(patch), '-f', '-'], { input });
}

async function removeAll(): Promise<void> {
  const objects = await list();
  if (objects.length === 0) return;
  // Nobody is there who would remove a finalizer.
  await patchAll(objects, { metadata: { finalizers: null } });
  await cluster.kubectl(['delete', '-f', '-'], { input: documents(objects) });
}

function anImport(name: string, spec: Record<string, unknown>): UpstreamObject {
  return { apiVersion: API_VERSION, kind: 'VirtualMachineImport', metadata: { name, namespace: 'default' }, spec };
}

async function get(name: string): Promise<Record<string, Record<string, unknown>>> {
  return JSON.parse(await cluster.kubectl(['get', name, '-o', 'json']));
}

describe("over the old controller's", () => {
  let before: KubernetesObject[];
  beforeAll(async () => {
    await installUpstreamCrds('create');
    await store(storedObjects);
    before = await list();
    await installOurs();
  });
  afterAll(removeAll);

  test('our CRDs are accepted as structural, and serve', async () => {
    const text = await cluster.kubectl(['get', 'customresourcedefinitions', '-o', 'json']);
    const { items } = JSON.parse(text) as {
      items: { metadata: { name: string }; status: { conditions: { type: string; status: string }[] } }[];
    };
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(ours.map(({ metadata }) => metadata.name).sort());
    for (const { status } of items) {
      const conditions = Object.fromEntries(status.conditions.map((each) => [each.type, each.status]));
      expect(conditions).toMatchObject({ Established: 'True', NamesAccepted: 'True' });
      expect(conditions).not.toHaveProperty('NonStructuralSchema');
    }
  });

  test('what was stored is what it was, to the last byte', async () => {
    expect(before).toHaveLength(storedObjects.length);
    expect(await list()).toEqual(before);
  });

  test('what was stored is read without a complaint', async () => {
    for (const object of await list()) {
      if (object.kind === 'VirtualMachineImport') expect(readVirtualMachineImport(object).findings).toEqual([]);
    }
  });

  test('what was stored can be changed, in its old fields and in ours', async () => {
    const labels = { seen: 'yes' };
    const isImport = ({ kind }: KubernetesObject) => kind === 'VirtualMachineImport';
    const changes = [
      {
        objects: before.filter(isImport),
        spec: { suspend: true, folder: '/new' },
        status: { progress: { percent: '7%' } },
      },
      {
        objects: before.filter((object) => !isImport(object)),
        spec: { insecureSkipTLSVerify: true },
        status: { status: 'clusterNotReady', check: { reason: 'SourceUnreachable' } },
      },
    ];
    for (const { objects, spec, status } of changes) {
      await patchAll(objects, { metadata: { labels }, spec });
      await patchAll(objects, { status }, '--subresource=status');
    }
    const after = await list();
    for (const { objects, spec, status } of changes) {
      const found = after.filter((object) => isImport(object) === objects.every(isImport));
      expect(found).toHaveLength(objects.length);
      for (const object of found) expect(object).toMatchObject({ metadata: { labels }, spec, status });
    }
  });

  test('the bookkeeping of the old controller stays on them', async () => {
    const crd = await get('customresourcedefinition/virtualmachineimports.migration.harvesterhci.io');
    expect(crd.metadata?.annotations).toHaveProperty(['objectset.rio.cattle.io/applied']);
  });

  test('the way back: under its own CRDs the old controller finds its objects, without what it does not know', async () => {
    await installUpstreamCrds('replace');
    const back = (await list()) as UpstreamObject[];
    expect(back).toHaveLength(storedObjects.length);
    for (const stored of storedObjects) {
      const found = back.find(({ kind, metadata }) => kind === stored.kind && metadata.name === stored.metadata.name);
      const { folder: _folder, ...spec } = stored.spec ?? {}; // That one was changed above.
      const { status: _status, ...status } = stored.status ?? {};
      expect(found).toMatchObject({ spec, status });
      expect(found?.spec).not.toHaveProperty('suspend');
      expect(found?.spec).not.toHaveProperty('insecureSkipTLSVerify');
      expect(found?.status).not.toHaveProperty('progress');
      expect(found?.status).not.toHaveProperty('check');
    }
    await installOurs();
  });
});

describe('in a cluster of their own', () => {
  beforeAll(async () => {
    await installOurs();
  });
  afterAll(removeAll);

  test('objects written for the old controller are accepted with every field, nulls and odd values, and nothing is added to them', async () => {
    await store(storedObjects);
    const found = (await list()) as UpstreamObject[];
    for (const stored of storedObjects) {
      const object = found.find(({ kind, metadata }) => kind === stored.kind && metadata.name === stored.metadata.name);
      expect(object?.spec).toEqual(stored.spec);
      expect(object?.status).toEqual(stored.status);
    }
    await removeAll();
  });

  test('every field of ours is accepted', async () => {
    const spec = {
      suspend: true,
      retry: 'again',
      target: { volume: { accessMode: 'ReadWriteMany', volumeMode: 'Block' } },
      targetName: 'web-01',
      run: false,
      disks: [
        { id: 'vmdisk1', storageClass: 'fast', accessMode: 'ReadWriteOnce', volumeMode: 'Filesystem', bus: 'sata' },
        { index: 1, claimName: 'web-01-data' },
      ],
      transfer: { verify: 'none', maxRate: '1.5 GiB/s', plane: 'datastore-files' },
    };
    await cluster.apply([anImport('all-of-ours', spec)]);
    expect((await get('vmimport/all-of-ours')).spec).toEqual(spec);
    await cluster.apply([
      anImport('targets', { target: { image: {} } }),
      anImport('data', { target: { dataVolume: {} } }),
    ]);
  });

  test('the server fills in what an object of ours leaves open', async () => {
    await cluster.apply([anImport('defaults', { transfer: { maxRate: '20MiB' } })]);
    expect((await get('vmimport/defaults')).spec).toEqual({ transfer: { maxRate: '20MiB', verify: 'readback' } });
  });

  test.each([
    [{ targetName: 'Web_01' }, 'spec.targetName: Invalid value: "Web_01"'],
    [{ target: {} }, 'give exactly one of volume, image, dataVolume'],
    [{ target: { volume: {}, image: {} } }, 'give exactly one of volume, image, dataVolume'],
    [
      { target: { volume: { accessMode: 'RWX' } } },
      'supported values: "ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"',
    ],
    [{ disks: [{ bus: 'sata' }] }, 'give exactly one of id, index'],
    [{ disks: [{ id: 'a', index: 0 }] }, 'give exactly one of id, index'],
    [{ disks: [{ index: -1 }] }, 'spec.disks[0].index in body should be greater than or equal to 0'],
    [{ disks: [{ index: 0, bus: 'ide' }] }, 'supported values: "virtio", "scsi", "sata", "usb"'],
    [{ disks: [{ index: 0, claimName: 'No Name' }] }, 'spec.disks[0].claimName'],
    [{ transfer: { verify: 'maybe' } }, 'supported values: "readback", "none"'],
    [{ transfer: { maxRate: 'fast' } }, 'spec.transfer.maxRate'],
    [{ suspend: 'yes' }, 'got "string", expected "boolean"'],
    [{ retry: 'x'.repeat(64) }, 'spec.retry: Too long: may not be more than 63 bytes'],
    [{ networkMapping: [{ networkInterfaceModel: 'rtl9000' }] }, 'supported values: "e1000"'],
    // As upstream's CRD does.
    [{ defaultNetworkInterfaceModel: null }, 'Unsupported value: null: supported values: "e1000"'],
  ])('%j is refused with what is wrong', async (spec, message) => {
    await expect(cluster.apply([anImport('refused', spec)])).rejects.toThrow(message);
  });

  test('what nobody knows is not kept', async () => {
    const input = JSON.stringify(anImport('pruned', { unknown: 1, folder: '/a', target: { volume: { unknown: 1 } } }));
    await cluster.kubectl(['create', '--validate=ignore', '-f', '-'], { input });
    expect((await get('vmimport/pruned')).spec).toEqual({ folder: '/a', target: { volume: {} } });
    await expect(cluster.kubectl(['create', '-f', '-'], { input: input.replace('pruned', 'strict') })).rejects.toThrow(
      'unknown field "spec.unknown"',
    );
  });

  test('kubectl shows columns of both', async () => {
    await removeAll();
    const status = {
      importStatus: 'sourceReady',
      importedVirtualMachineName: 'web-01',
      progress: { phase: 'Transferring', percent: '42%', reason: 'TransferRunning', message: '1 of 2 disks to go' },
    };
    const check = { reason: 'SourceUnreachable', message: 'connection refused' };
    const metadata = { name: 'files', namespace: 'default' };
    await store([
      { ...anImport('web', { virtualMachineName: 'Web 01' }), status },
      {
        apiVersion: API_VERSION,
        kind: 'OvaSource',
        metadata,
        spec: { url: 'https://files.example/app.ova' },
        status: { status: 'clusterNotReady', check },
      },
    ]);
    const shown = await Promise.all(
      [['vmimport'], ['vmimport', '-o', 'wide'], ['ovasrc'], ['ovasrc', '-o', 'wide'], ['airlift']].map((args) =>
        cluster.kubectl(['get', ...args]),
      ),
    );
    // The age is the only thing that changes from run to run.
    expect(shown.join('\n').replaceAll(/ +\d+m?s *$/gm, '   <age>')).toMatchSnapshot();
  });

  test('kubectl explains our fields', async () => {
    const explain = (path: string) => cluster.kubectl(['explain', path]);
    expect(await explain('virtualmachineimports.spec.target')).toContain('Exactly one of the fields.');
    expect(await explain('vmimport.spec.transfer.verify')).toMatch(/ENUM:\s+readback\s+none/);
    expect(await explain('vmimport.status.progress.disks')).toContain('digestRoot');
    expect(await explain('ovasources.spec.insecureSkipTLSVerify')).toContain('Do not check who the source is.');
  });
});
