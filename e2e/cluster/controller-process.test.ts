// The controller as a process of its own, on a real control plane: what it says of itself and of its sources, and when it does not act.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { API_VERSION } from '../../src/api/literals.ts';
import { clusterRights } from '../../src/controller/rights.ts';
import { canStartCluster } from '../../src/testing/cluster/can-start-cluster.ts';
import { type ClusterUser, startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { createControllerAccount } from './controller-account.ts';
import { ControllerProcess } from './controller-process.ts';

const PASSWORD = 'a-secret-of-the-source';

describe.skipIf(!canStartCluster())('the controller', () => {
  let cluster: TestCluster;
  let user: ClusterUser;
  let server: HttpFileServer;
  const running: ControllerProcess[] = [];

  beforeAll(async () => {
    cluster = await startCluster({ crds: ['kubevirt', 'network-attachments', ...customResourceDefinitions()] });
    user = await createControllerAccount(cluster);
    server = await HttpFileServer.start({
      files: { '/web.ova': buildOva({ machines: [{ id: 'web', disks: [] }], contents: {} }) },
      credentials: { user: 'importer', password: PASSWORD },
    });
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.stop()));
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  test('becomes ready, and ends well when told to, giving its Lease back', async () => {
    const controller = await start();
    await isReady(controller);
    expect((await controller.askHealth('/healthz')).status).toBe(200);
    expect(await controller.readMetric('airlift_leading')).toBe(1);
    expect(await controller.readMetric('airlift_api_requests_total', { verb: 'create', code: '201' })).toBeGreaterThan(
      0,
    );
    await controller.stop();
    expect(controller.exitCode).toBe(0);
    const lease = await cluster.kubectl(['get', 'lease', '-n', 'airlift-system', 'airlift-controller', '-o', 'json']);
    expect(JSON.parse(lease).spec.holderIdentity ?? '').toBe('');
    for (const line of controller.output.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('message');
  });

  test('a second one stands by, says so, and takes over at once when the first is gone', async () => {
    const first = await start();
    await isReady(first);
    const second = await start();
    await eventually(async () => (await second.askHealth('/readyz')).text.includes('another process leads'));
    expect((await second.askHealth('/healthz')).status).toBe(200);
    await first.stop();
    await isReady(second);
  });

  test('tells of a source what is wrong with it, and notices when its Secret is corrected', async () => {
    const controller = await start();
    await cluster.apply([
      {
        apiVersion: API_VERSION,
        kind: 'OvaSource',
        metadata: { name: 'files', namespace: 'default' },
        spec: { url: server.url('/web.ova'), credentials: { name: 'login', namespace: 'default' } },
      },
    ]);
    const check = async () =>
      JSON.parse((await cluster.kubectl(['get', 'ovasource', 'files', '-o', 'jsonpath={.status}'])) || '{}');
    await eventually(async () => (await check()).check?.reason === 'SecretMissing');
    expect(await check()).toMatchObject({
      status: 'clusterNotReady',
      check: { message: expect.stringContaining('login'), nextStep: expect.stringMatching(/\w/) },
    });
    await setSecret('wrong');
    await eventually(async () => (await check()).check?.reason === 'SourceAuthRequired');
    await setSecret(PASSWORD);
    await eventually(async () => (await check()).status === 'clusterReady');
    const events = await cluster.kubectl(['get', 'events', '-o', 'jsonpath={.items[*].reason}']);
    expect(events).toContain('SecretMissing');
    expect(events).toContain('SourceReady');
    expect(await controller.readMetric('airlift_sources', { kind: 'OvaSource', ready: 'true' })).toBe(1);
    expect(controller.output).not.toContain(PASSWORD);
  });

  test('does nothing while the old controller runs, says so, and begins when that is gone', async () => {
    const selector = { app: 'old' };
    await cluster.kubectl(['create', 'namespace', 'harvester-system']);
    await cluster.apply([
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'harvester-vm-import-controller', namespace: 'harvester-system' },
        spec: {
          replicas: 1,
          selector: { matchLabels: selector },
          template: {
            metadata: { labels: selector },
            spec: { containers: [{ name: 'main', image: 'rancher/harvester-vm-import-controller:v0.4.1' }] },
          },
        },
      },
    ]);
    const controller = await start();
    await eventually(async () => (await controller.askHealth('/readyz')).text.includes('the old controller runs'));
    expect(await controller.readMetric('airlift_leading')).toBe(0);
    await cluster.apply([anImport('waits')]);
    await delay(3000);
    expect(await cluster.kubectl(['get', 'vmimport', 'waits', '-o', 'jsonpath={.status}{.metadata.finalizers}'])).toBe(
      '',
    );
    const events = await cluster.kubectl([
      'get',
      'events',
      '-n',
      'airlift-system',
      '-o',
      'jsonpath={.items[*].message}',
    ]);
    expect(events).toContain('rancher/harvester-vm-import-controller:v0.4.1');
    await cluster.kubectl(['delete', 'deployment', '-n', 'harvester-system', 'harvester-vm-import-controller']);
    await isReady(controller, 60_000);
    await eventually(async () => (await statusOf('waits')).progress?.reason === 'SourceObjectMissing');
  });

  test('an API server that goes away and comes back is not noticed but by its watches', async () => {
    const controller = await start();
    await isReady(controller);
    await cluster.stopApiServer('SIGKILL');
    await delay(2000);
    await cluster.startApiServer();
    await cluster.apply([anImport('afterwards')]);
    await eventually(async () => (await statusOf('afterwards')).progress?.reason === 'SourceObjectMissing');
    expect(controller.hasEnded).toBe(false);
  });

  test('without the right to be elected it is not ready, and names what is missing', async () => {
    const controller = await start(await cluster.createUser('nobody'));
    await eventually(async () => (await controller.askHealth('/readyz')).text.includes('may not get leases'));
  });

  test('without the right to watch something it ends, and names the right', async () => {
    const poor = await createControllerAccount(cluster, {
      name: 'poor',
      rights: clusterRights.filter(({ resources }) => !resources.includes('jobs')),
    });
    const controller = await start(poor);
    await eventually(async () => controller.hasEnded, 100_000);
    expect(controller.exitCode).toBe(1);
    const last = JSON.parse(controller.output.trim().split('\n').at(-1) ?? '{}');
    expect(last).toMatchObject({ level: 'error', message: 'controller ended', error: { code: 'ClusterForbidden' } });
    expect(last.error.message).toMatch(/may not (list|watch) jobs/);
  });

  async function start(as = user): Promise<ControllerProcess> {
    const controller = await ControllerProcess.start({ cluster, user: as, image: 'none' });
    running.push(controller);
    return controller;
  }

  async function isReady(controller: ControllerProcess, mostMs = 30_000): Promise<void> {
    await eventually(async () => (await controller.askHealth('/readyz')).status === 200, mostMs);
  }

  async function setSecret(password: string): Promise<void> {
    await cluster.apply([
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'login', namespace: 'default' },
        stringData: { username: 'importer', password },
      },
    ]);
  }

  async function statusOf(name: string): Promise<{ progress?: { reason?: string } }> {
    return JSON.parse((await cluster.kubectl(['get', 'vmimport', name, '-o', 'jsonpath={.status}'])) || '{}');
  }

  async function eventually(isSo: () => Promise<boolean>, mostMs = 40_000): Promise<void> {
    const ends = Date.now() + mostMs;
    while (!(await isSo())) {
      if (Date.now() > ends)
        throw new Error(`not so after ${mostMs} ms:\n${running.map(({ output }) => output.slice(-4000)).join('\n')}`);
      await delay(250);
    }
  }
});

function anImport(name: string): object {
  return {
    apiVersion: API_VERSION,
    kind: 'VirtualMachineImport',
    metadata: { name, namespace: 'default' },
    spec: {
      virtualMachineName: name,
      sourceCluster: { apiVersion: API_VERSION, kind: 'OvaSource', name: 'gone', namespace: 'default' },
    },
  };
}
