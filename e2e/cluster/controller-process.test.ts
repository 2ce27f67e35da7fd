// The controller as a process of its own, on a real control plane: what it says of itself and of its sources, and when it does not act.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { customResourceDefinitions } from '../../src/api/custom-resource-definition.ts';
import { API_VERSION } from '../../src/api/literals.ts';
import { clusterRights } from '../../src/controller/rights.ts';
import { canStartCluster } from '../../src/testing/cluster/can-start-cluster.ts';
import { loadCrds } from '../../src/testing/cluster/crds/load-crds.ts';
import { type ClusterUser, startCluster, type TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { upstreamCrds } from '../../src/testing/upstream/crds.ts';
import { createControllerAccount } from './controller-account.ts';
import { ControllerProcess } from './controller-process.ts';

const PASSWORD = 'a-secret-of-the-source';

/** It looks for what keeps it from acting more often than by itself. */
const env = { AIRLIFT_LOOK_SECONDS: '2' };

describe.skipIf(!canStartCluster())('the controller', () => {
  let cluster: TestCluster;
  let user: ClusterUser;
  let server: HttpFileServer;
  const running: ControllerProcess[] = [];

  beforeAll(async () => {
    const addons = (await loadCrds(['harvester'])).filter(({ metadata }) => metadata.name === 'addons.harvesterhci.io');
    cluster = await startCluster({
      crds: ['kubevirt', 'network-attachments', ...addons, ...customResourceDefinitions()],
    });
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
    await controller.untilReady();
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
    await first.untilReady();
    const second = await start();
    await second.until(async () => (await second.askHealth('/readyz')).text.includes('another process leads'));
    expect((await second.askHealth('/healthz')).status).toBe(200);
    await first.stop();
    await second.untilReady();
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
    await controller.until(async () => (await check()).check?.reason === 'SecretMissing');
    expect(await check()).toMatchObject({
      status: 'clusterNotReady',
      check: { message: expect.stringContaining('login'), nextStep: expect.stringMatching(/\w/) },
    });
    await setSecret('wrong');
    await controller.until(async () => (await check()).check?.reason === 'SourceAuthRequired');
    await setSecret(PASSWORD);
    await controller.until(async () => (await check()).status === 'clusterReady');
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
    await controller.until(async () =>
      (await controller.askHealth('/readyz')).text.includes('the old controller runs'),
    );
    expect(await controller.readMetric('airlift_leading')).toBe(0);
    await cluster.apply([anImport('waits')]);
    await delay(3000);
    expect(await cluster.kubectl(['get', 'vmimport', 'waits', '-o', 'jsonpath={.status}{.metadata.finalizers}'])).toBe(
      '',
    );
    expect(await leaseEvents()).toContain('rancher/harvester-vm-import-controller:v0.4.1');
    await cluster.kubectl(['delete', 'deployment', '-n', 'harvester-system', 'harvester-vm-import-controller']);
    await controller.untilReady(60_000);
    await controller.until(async () => (await statusOf('waits')).progress?.reason === 'SourceObjectMissing');
    await setAddon({ enabled: true });
    await controller.until(async () => (await controller.askHealth('/readyz')).text.includes('is enabled'));
    expect(await controller.readMetric('airlift_leading')).toBe(0);
    await setAddon({ enabled: false });
    await controller.untilReady(60_000);
  });

  test('an API server that goes away and comes back is not noticed but by its watches', async () => {
    const controller = await start();
    await controller.untilReady();
    await cluster.stopApiServer('SIGKILL');
    await delay(2000);
    await cluster.startApiServer();
    await cluster.apply([anImport('afterwards')]);
    await controller.until(async () => (await statusOf('afterwards')).progress?.reason === 'SourceObjectMissing');
    expect(controller.hasEnded).toBe(false);
  });

  test('without the right to be elected it is not ready, and names what is missing', async () => {
    const controller = await start(await cluster.createUser('nobody'));
    await controller.until(async () => (await controller.askHealth('/readyz')).text.includes('may not get leases'));
  });

  test('without the right to watch something it ends, and names the right', async () => {
    const poor = await createControllerAccount(cluster, {
      name: 'poor',
      rights: clusterRights.filter(({ resources }) => !resources.includes('jobs')),
    });
    const controller = await start(poor);
    await controller.until(async () => controller.hasEnded, 100_000);
    expect(controller.exitCode).toBe(1);
    const last = JSON.parse(controller.output.trim().split('\n').at(-1) ?? '{}');
    expect(last).toMatchObject({ level: 'error', message: 'controller ended', error: { code: 'ClusterForbidden' } });
    expect(last.error.message).toMatch(/may not (list|watch) jobs/);
    expect(await leaseEvents()).toMatch(/ClusterForbidden: [^\n]*may not (list|watch) jobs[^\n]*auth can-i/);
  });

  test('a kind of source that it may not watch is told, and holds up neither itself nor the others', async () => {
    const narrow = await createControllerAccount(cluster, {
      name: 'narrow',
      rights: clusterRights.map((rule) => ({
        ...rule,
        resources: rule.resources.filter((each) => each !== 'vmwaresources'),
      })),
    });
    const controller = await start(narrow);
    await controller.untilReady();
    expect(await controller.readMetric('airlift_sources', { kind: 'OvaSource' })).toBe(1);
    await controller.until(async () => (await leaseEvents()).includes('vmwaresources'));
  });

  // The last one: it leaves other definitions for a while.
  test("with the old controller's definitions of our kinds it does nothing, and begins once they are ours", async () => {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: upstreamCrds });
    await cluster.kubectl(['replace', '-f', '-'], { input });
    const controller = await start();
    await controller.until(async () =>
      (await controller.askHealth('/readyz')).text.includes(
        'virtualmachineimports.migration.harvesterhci.io is of another version and has no ',
      ),
    );
    await controller.until(async () => (await leaseEvents()).includes('KindsOutdated'));
    await cluster.installCrds(customResourceDefinitions());
    await controller.untilReady(60_000);
  });

  async function start(as = user): Promise<ControllerProcess> {
    const controller = await ControllerProcess.start({ cluster, user: as, image: 'none', env });
    running.push(controller);
    return controller;
  }

  /** Harvester's own, which brings the old controller. */
  async function setAddon({ enabled }: { readonly enabled: boolean }): Promise<void> {
    const metadata = { name: 'vm-import-controller', namespace: 'harvester-system' };
    const spec = { enabled, chart: 'harvester-vm-import-controller', repo: '', valuesContent: '', version: '1' };
    await cluster.apply([{ apiVersion: 'harvesterhci.io/v1beta1', kind: 'Addon', metadata, spec }]);
  }

  async function leaseEvents(): Promise<string> {
    const selector = 'involvedObject.name=airlift-controller';
    const format = 'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}';
    return await cluster.kubectl(['get', 'events', '-n', 'airlift-system', '--field-selector', selector, '-o', format]);
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
