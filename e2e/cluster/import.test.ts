// An OVA on a web server becomes a machine: the product's own image in a real Pod on a real node, the controller as a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { buildLargeDisk } from '../large-disk.ts';
import { ROOT } from '../support.ts';
import { buildTestImage } from './build-test-image.ts';

const MIB = 1024 * 1024;
const USER = 'importer';
const PASSWORD = 'a-secret-of-the-source';

describe.skipIf(!canStartNode())('an OVA becomes a machine in a cluster', () => {
  const folder = mkdtempSync(join(tmpdir(), 'airlift-cluster-'));
  let cluster: TestCluster;
  let server: HttpFileServer;
  let image: string;
  let content: Buffer;
  let controller: ControllerProcess | undefined;

  beforeAll(async () => {
    const disk = await buildLargeDisk({ virtualSizeBytes: 128 * MIB, dataBytes: 48 * MIB, seed: 5 });
    content = disk.content;
    const ova = buildOva({
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
    await cluster.kubectl(['create', 'namespace', 'airlift-system']);
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
    controller = await ControllerProcess.start(cluster, image);
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

  async function phaseOf(name: string): Promise<string> {
    return await cluster.kubectl(['get', 'vmimport', name, '-o', 'jsonpath={.status.progress.phase}']);
  }

  async function podsOf(_name: string): Promise<{ readonly name: string; readonly phase: string }[]> {
    const { items } = JSON.parse(
      await cluster.kubectl(['get', 'pods', '-l', 'app.kubernetes.io/managed-by=airlift', '-o', 'json']),
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

/** The controller on the host, which Pods reach at the host's address. */
class ControllerProcess {
  output = '';
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(process: ChildProcess) {
    this.#process = process;
    for (const stream of [process.stdout, process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.#ended = new Promise((resolve) => process.on('close', resolve));
  }

  static async start(cluster: TestCluster, image: string): Promise<ControllerProcess> {
    const port = await freePort(cluster.hostAddress);
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(ROOT, 'src/main/controller.ts')],
      {
        env: {
          ...process.env,
          KUBECONFIG: cluster.admin.kubeconfigPath,
          AIRLIFT_NAMESPACE: 'airlift-system',
          AIRLIFT_POD: 'controller-0',
          AIRLIFT_IMAGE: image,
          AIRLIFT_ENDPOINT_HOST: cluster.hostAddress,
          AIRLIFT_ENDPOINT_PORT: String(port),
          AIRLIFT_ENDPOINT_URL: `https://${cluster.hostAddress}:${port}`,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    return new ControllerProcess(child);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#process.kill(signal);
    await this.#ended;
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
