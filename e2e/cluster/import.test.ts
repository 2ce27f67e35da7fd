// An OVA on a web server becomes a machine: the product's own image in a real Pod on a real node, the controller as a process of its own.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { FRESH, readRecord, type TransferState } from '../../src/controller/machine-import/transfer-record.ts';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { BUSYBOX_IMAGE } from '../../src/testing/cluster/images/test-images.ts';
import { type ClusterUser, startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer, type HttpRequestRecord } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { buildLargeDisk } from '../large-disk.ts';
import { buildTestImage } from './build-test-image.ts';
import { createControllerAccount } from './controller-account.ts';
import { ControllerProcess } from './controller-process.ts';

const MIB = 1024 * 1024;
const USER = 'importer';
const PASSWORD = 'a-secret-of-the-source';

describe.skipIf(!canStartNode())('an OVA becomes a machine in a cluster', () => {
  const folder = mkdtempSync(join(tmpdir(), 'airlift-cluster-'));
  let cluster: TestCluster;
  let server: HttpFileServer;
  let image: string;
  let content: Buffer;
  let ova: Uint8Array;
  const dataBytes = 100 * MIB;
  let user: ClusterUser;
  let controller: ControllerProcess | undefined;

  beforeAll(async () => {
    const disk = await buildLargeDisk({ virtualSizeBytes: 128 * MIB, dataBytes, seed: 5 });
    content = disk.content;
    ova = buildOva({
      machines: [{ id: 'web', name: 'web', disks: [{ fileName: 'disk.vmdk', capacityBytes: content.length }] }],
      contents: { 'disk.vmdk': disk.vmdk },
      manifest: 'sha256',
    });
    cluster = await startCluster({
      node: true,
      crds: ['kubevirt', 'network-attachments', ...customResourceDefinitions()],
    });
    const built = await buildTestImage(folder);
    image = built.name;
    await cluster.node.loadImage(built.archive);
    server = await HttpFileServer.start({
      address: cluster.hostAddress,
      files: { '/web.ova': ova },
      credentials: { user: USER, password: PASSWORD },
    });
    user = await createControllerAccount(cluster);
    await cluster.kubectl(['label', 'namespace', 'default', 'pod-security.kubernetes.io/enforce=restricted']);
  });
  afterAll(async () => {
    await controller?.stop();
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test('byte for byte, onto a block volume, by a worker that knows no secret of the source', async () => {
    const volume = await cluster.node.createVolume({ name: 'disk', sizeBytes: content.length, volumeMode: 'Block' });
    controller = await ControllerProcess.start({ cluster, user, image });
    await cluster.apply([
      ...sourceObjects('files', server.url('/web.ova')),
      importObject('web', 'files', { storageClass: volume.storageClass, run: false }),
    ]);
    const started = performance.now();
    await eventually(async () =>
      (await podsOf('web')).some(({ phase }) => phase === 'Running' || phase === 'Succeeded'),
    );
    console.info(`from apply to a running worker: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    await eventually(async () => (await phaseOf('web')) === 'Finished', 120_000);

    const written = await volume.read(0, content.length);
    expect(createHash('sha256').update(written).digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
    const machine = JSON.parse(await cluster.kubectl(['get', 'vm', 'web', '-o', 'json']));
    expect(machine.spec.template.spec.volumes).toEqual([
      { name: 'disk-0', persistentVolumeClaim: { claimName: 'web-disk-0' } },
    ]);
    const status = JSON.parse(await cluster.kubectl(['get', 'vmimport', 'web', '-o', 'json'])).status;
    expect(status.importStatus).toBe('virtualMachineRunning');
    expect(status.progress.disks[0].digestRoot).toMatch(/^[0-9a-f]{64}$/);
    // Everything that a user of the namespace can read, but the source's own Secret.
    const readable = await cluster.kubectl(['get', 'pods,jobs,configmaps,pvc,events,vmimport', '-o', 'yaml']);
    expect(readable).not.toContain(PASSWORD);
    expect(controller.output).not.toContain(PASSWORD);
  });

  test('onto a file system, straight from a server that asks for nothing', async () => {
    const volume = await cluster.node.createVolume({ name: 'files', sizeBytes: 192 * MIB, volumeMode: 'Filesystem' });
    await using open = await HttpFileServer.start({ address: cluster.hostAddress, files: { '/web.ova': ova } });
    await cluster.apply([
      ...sourceObjects('open', open.url('/web.ova')).slice(1).map(withoutAccount),
      importObject('web-files', 'open', {
        storageClass: volume.storageClass,
        run: false,
        target: { volume: { volumeMode: 'Filesystem' } },
      }),
    ]);
    await eventually(async () => (await phaseOf('web-files')) === 'Finished', 120_000);
    // From the Pod itself: the controller relays nothing that needs no account.
    expect(new Set(open.requests.map(({ address }) => address))).not.toEqual(new Set([cluster.hostAddress]));
  });

  test('killed, cut off from its API and orphaned midway, it goes on from its checkpoint', async () => {
    const volume = await cluster.node.createVolume({ name: 'hard', sizeBytes: content.length, volumeMode: 'Block' });
    await cluster.apply([
      importObject('web-hard', 'files', {
        storageClass: volume.storageClass,
        run: false,
        transfer: { maxRate: '2MB' },
      }),
    ]);
    await eventually(async () => (await checkpointOf('web-hard')) > dataBytes * 0.4, 60_000);
    const reached = await checkpointOf('web-hard');
    const before = server.requests.length;
    const [pod] = await podsOf('web-hard');
    await cluster.node.killContainer({ namespace: 'default', pod: pod?.name ?? '' });
    await eventually(async () => (await epochOf('web-hard')) === 2, 60_000);

    await cluster.stopApiServer('SIGKILL');
    await controller?.stop('SIGKILL');
    await delay(2000);
    await cluster.startApiServer();
    await cluster.node.restartContainerd();
    controller = await ControllerProcess.start({ cluster, user, image, port: controller?.port });
    await cluster.kubectl([
      'patch',
      'vmimport',
      'web-hard',
      '--type=merge',
      '-p',
      '{"spec":{"transfer":{"maxRate":null}}}',
    ]);
    await eventually(async () => (await phaseOf('web-hard')) === 'Finished', 180_000);

    const written = await volume.read(0, content.length);
    expect(createHash('sha256').update(written).digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
    const { result, epoch } = await recordOf('web-hard');
    console.info(
      `killed at ${toMib(reached)} MiB of the disk: ${toMib(result?.fetchedBytes ?? 0)} MiB of ${toMib(ova.length)} were read in all, ${result?.resumes} resumed, epoch ${epoch}`,
    );
    expect(result?.resumes).toBeGreaterThanOrEqual(1);
    // Of what the checkpoint covers nothing is read again but the disk's own tables.
    const covered = Math.floor((reached / dataBytes) * ova.length);
    const again = server.requests.slice(before).reduce((sum, request) => sum + bytesBelow(covered, request), 0);
    console.info(`${toMib(again)} MiB of the first ${toMib(covered)} MiB were read again`);
    expect(again).toBeLessThan(covered / 4);
  });

  test('deleted midway, it leaves nothing behind', async () => {
    await eventually(async () => !(await inventory()).some((each) => each.startsWith('pod/')));
    const before = await inventory();
    const volume = await cluster.node.createVolume({ name: 'gone', sizeBytes: content.length, volumeMode: 'Block' });
    const spec = { storageClass: volume.storageClass, run: false, transfer: { maxRate: '1MB' } };
    await cluster.apply([importObject('web-gone', 'files', spec)]);
    await eventually(async () => (await phaseOf('web-gone')) === 'Transferring' && (await epochOf('web-gone')) === 1);
    await cluster.kubectl(['delete', 'vmimport', 'web-gone', '--timeout=60s']);
    expect(await inventory()).toEqual(before);
  });

  test("a token of another Pod is refused by the workers' endpoint (ruling 17)", async () => {
    const volume = await cluster.node.createVolume({ name: 'stolen', sizeBytes: content.length, volumeMode: 'Block' });
    const spec = { storageClass: volume.storageClass, run: false, transfer: { maxRate: '1MB' } };
    await cluster.apply([importObject('web-stolen', 'files', spec), restrictedPod('thief')]);
    await eventually(async () => (await podsOf('web-stolen')).some(({ phase }) => phase === 'Running'));
    const uid = await cluster.kubectl(['get', 'vmimport', 'web-stolen', '-o', 'jsonpath={.metadata.uid}']);
    const assignment = `${controller?.url}/v1/transfers/${uid}.0/1/assignment`;
    const token = async (...more: string[]) =>
      (await cluster.kubectl(['create', 'token', 'default', '--audience=airlift', ...more])).trim();
    const boundTo = (name: string) => ['--bound-object-kind=Pod', `--bound-object-name=${name}`];
    const ask = async (bearer?: string) => await statusOf(assignment, bearer);
    expect(await ask()).toBe(401);
    expect(await ask('nonsense')).toBe(401);
    expect(await ask(await token())).toBe(403);
    expect(await ask(await token(...boundTo('thief')))).toBe(403);
    const worker = (await podsOf('web-stolen')).find(({ phase }) => phase === 'Running');
    expect(await ask(await token(...boundTo(worker?.name ?? '')))).toBe(200);
    await cluster.kubectl(['delete', 'vmimport', 'web-stolen', '--timeout=60s']);
    await cluster.kubectl(['delete', 'pod', 'thief', '--now']);
  });

  async function checkpointOf(name: string): Promise<number> {
    return (await recordOf(name)).checkpointBytes;
  }

  async function recordOf(name: string): Promise<TransferState> {
    const uid = await cluster.kubectl(['get', 'vmimport', name, '-o', 'jsonpath={.metadata.uid}']);
    const label = `migration.harvesterhci.io/import-uid=${uid},migration.harvesterhci.io/disk=0`;
    const { items } = JSON.parse(await cluster.kubectl(['get', 'configmaps', '-l', label, '-o', 'json']));
    return items.length === 0 ? FRESH : (readRecord(items[0])?.state ?? FRESH);
  }

  async function epochOf(name: string): Promise<number> {
    return Number(await cluster.kubectl(['get', 'vmimport', name, '-o', 'jsonpath={.status.progress.disks[0].epoch}']));
  }

  async function inventory(): Promise<string[]> {
    const lines = await cluster.kubectl(['get', 'vmimport,jobs,pods,configmaps,secrets,pvc,vm', '-o', 'name']);
    return lines.split('\n').toSorted();
  }

  async function phaseOf(name: string): Promise<string> {
    return await cluster.kubectl(['get', 'vmimport', name, '-o', 'jsonpath={.status.progress.phase}']);
  }

  async function podsOf(name: string): Promise<{ readonly name: string; readonly phase: string }[]> {
    const uid = await cluster.kubectl(['get', 'vmimport', name, '-o', 'jsonpath={.metadata.uid}']);
    const { items } = JSON.parse(
      await cluster.kubectl(['get', 'pods', '-l', `migration.harvesterhci.io/import-uid=${uid}`, '-o', 'json']),
    ) as { items: { metadata: { name: string }; status: { phase: string } }[] };
    return items.map(({ metadata, status }) => ({ name: metadata.name, phase: status.phase }));
  }

  async function eventually(isSo: () => Promise<boolean>, mostMs = 60_000): Promise<void> {
    const ends = Date.now() + mostMs;
    while (!(await isSo())) {
      if (Date.now() > ends) throw new Error(`not so after ${mostMs} ms:\n${await whatIsThere()}`);
      await delay(250);
    }
  }

  async function whatIsThere(): Promise<string> {
    const objects = await cluster.kubectl(['get', 'vmimport,pods,jobs,pvc,events', '-o', 'wide']);
    const status = await cluster.kubectl(['get', 'vmimport', '-o', 'jsonpath={.items[*].status}']);
    return `${objects}\n${status}\n${controller?.output.slice(-8000) ?? ''}`;
  }
});

/** How much of an answer lies before a place in the file. */
function bytesBelow(end: number, { range, bodyBytes }: HttpRequestRecord): number {
  const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  return Math.max(0, Math.min(end, from + bodyBytes) - from);
}

function sourceObjects(name: string, url: string): object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `${name}-login`, namespace: 'default' },
      stringData: { username: USER, password: PASSWORD },
    },
    {
      apiVersion: 'migration.harvesterhci.io/v1beta1',
      kind: 'OvaSource',
      metadata: { name, namespace: 'default' },
      spec: { url, credentials: { name: `${name}-login`, namespace: 'default' } },
    },
  ];
}

function importObject(name: string, source: string, spec: object): object {
  return {
    apiVersion: 'migration.harvesterhci.io/v1beta1',
    kind: 'VirtualMachineImport',
    metadata: { name, namespace: 'default' },
    spec: {
      virtualMachineName: name,
      sourceCluster: {
        apiVersion: 'migration.harvesterhci.io/v1beta1',
        kind: 'OvaSource',
        name: source,
        namespace: 'default',
      },
      ...spec,
    },
  };
}

function withoutAccount(source: object): object {
  const { spec, ...rest } = source as { spec: { url: string } };
  return { ...rest, spec: { url: spec.url } };
}

function restrictedPod(name: string): object {
  const securityContext = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    runAsUser: 107,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  const container = { name: 'main', image: BUSYBOX_IMAGE, command: ['sleep', '1000'], securityContext };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { containers: [container] } };
}

/** Who asks is the question here, not who answers. */
async function statusOf(url: string, bearer: string | undefined): Promise<number> {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  return await new Promise((resolve, reject) => {
    get(url, { headers, rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject);
  });
}

function toMib(bytes: number): number {
  return Math.round(bytes / MIB);
}
