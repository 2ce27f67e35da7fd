// `airlift import ... --to kubevirt:` with everything real: the command line as a process, the API, a node, the relay and the workers as Pods of the product's own image.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import type { ClusterUser } from '../../src/testing/cluster/start-cluster.ts';
import { type CliResult, type RunningCli, startCli, temporaryFolder } from '../support.ts';
import { type Appliance, buildAppliance, expectSame, ImportWorld } from './import-harness.ts';
import { PASSWORD, USER } from './import-objects.ts';

const MIB = 1024 * 1024;

describe.skipIf(!canStartNode())('one command imports into a cluster', () => {
  const folder = temporaryFolder();
  let world: ImportWorld;
  let web: Appliance;
  let ova: string;

  beforeAll(async () => {
    web = await buildAppliance(128 * MIB, 100 * MIB);
    ova = join(folder.path, 'web.ova');
    writeFileSync(ova, web.ova);
    world = await ImportWorld.start();
    // The controller runs elsewhere here; its Deployment says which image takes in local files, and Harvester's own one does not.
    await world.cluster.kubectl(['create', 'namespace', 'a-harvester']);
    await world.cluster.apply([
      controllerDeployment('a-harvester', 'rancher/harvester-vm-import-controller:v0.4.1'),
      controllerDeployment('airlift-system', world.imageName),
    ]);
    await world.startController();
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const start = (args: readonly string[], user?: Pick<ClusterUser, 'kubeconfigPath'>) =>
    run(['import', ...args, '--leave-off', '--yes'], user);
  function run(args: readonly string[], user: Pick<ClusterUser, 'kubeconfigPath'> = world.cluster.admin): RunningCli {
    const env = { KUBECONFIG: user.kubeconfigPath, AIRLIFT_PASSWORD: PASSWORD };
    return startCli([...args], { env });
  }
  const words = ({ stdout, stderr }: CliResult) => `${stdout}\n${stderr}`.replaceAll(/\s+/g, ' ');
  const local = (name: string, storageClass: string, ...more: string[]) => [
    ...[ova, '--to', `kubevirt:default/${name}`, '--storage-class', storageClass],
    ...more,
  ];
  const volume = (name: string) =>
    world.cluster.node.createVolume({
      name,
      sizeBytes: web.content.length,
      bindingMode: 'WaitForFirstConsumer',
      volumeMode: 'Block',
    });
  async function get(kind: string, name: string) {
    const text = await world.cluster.kubectl(['get', kind, name, '-o', 'json', '--ignore-not-found']);
    return text === '' ? undefined : JSON.parse(text);
  }

  test('from a web server, with an account that nobody sees', async () => {
    const server = await world.serve({ '/web.ova': web.ova });
    const disk = await volume('remote');
    const args = [
      server.url('/web.ova'),
      '--user',
      USER,
      '--to',
      'kubevirt:default/remote',
      '--storage-class',
      disk.storageClass,
    ];
    const result = await start(args).result;
    expect(result, words(result)).toMatchObject({ status: 0, stdout: 'remote: imported, machine remote\n' });
    await expectSame(disk, web.content);
    const objects = JSON.stringify([await get('ovasource', 'remote'), await get('vmimport', 'remote')]);
    expect(objects + words(result)).not.toContain(PASSWORD);
    const again = await start(args).result;
    expect(again.status).toBe(0);
    expect(words(again)).toContain('remote was finished by an earlier run');
  });

  test('a local file, through a relay of which nothing is left', async () => {
    const disk = await volume('local');
    const before = await world.inventory();
    const result = await start(local('local', disk.storageClass)).result;
    expect(result, words(result)).toMatchObject({ status: 0, stdout: 'local: imported, machine local\n' });
    await expectSame(disk, web.content);
    await world.eventually(async () => (await get('pod', 'local-file-relay')) === undefined);
    expect(await get('ovasource', 'local')).toBeUndefined();
    const left = (await world.inventory()).filter((name) => !before.includes(name));
    expect(left.filter((name) => !name.startsWith('pod/') && !name.startsWith('job'))).toEqual([
      expect.stringMatching(/^configmap\/airlift-\w+-0$/),
      expect.stringMatching(/^configmap\/airlift-\w+-plan$/),
      expect.stringMatching(/^configmap\/airlift-\w+-report$/),
      'persistentvolumeclaim/local-disk-0',
      'virtualmachine.kubevirt.io/local',
      'virtualmachineimport.migration.harvesterhci.io/local',
    ]);
  });

  test('killed midway, the same command goes on where the worker stopped', async () => {
    const disk = await volume('resumed');
    const args = local('resumed', disk.storageClass, '--max-rate', '2MB');
    const first = start(args);
    await world.eventually(async () => {
      const { progress } = (await get('vmimport', 'resumed'))?.status ?? {};
      return progress?.disks?.[0]?.doneBytes > 4 * MIB;
    }, 120_000);
    const relay = (await get('pod', 'resumed-file-relay')).metadata.uid;
    const logs = await run(['logs', 'resumed']).result;
    expect(logs, words(logs)).toMatchObject({ status: 0, stdout: expect.stringContaining('transfer assigned') });
    first.process.kill('SIGKILL');
    await first.result;
    const doneBytes = (await world.diskOf('resumed'))?.doneBytes ?? 0;
    const result = await start(args).result;
    expect(result, words(result)).toMatchObject({ status: 0, stdout: 'resumed: imported, machine resumed\n' });
    expect(words(result)).toContain('resumed in namespace default goes on');
    await expectSame(disk, web.content);
    // The relay waited, and whoever read by it went on: nothing was begun again, and what was copied was not asked for twice.
    expect(relay).toBeDefined();
    expect((await world.progressOf('resumed')).attempt).toBe(1);
    const { result: report, epoch } = await world.recordOf('resumed');
    console.info(
      `killed at ${doneBytes} bytes; done under epoch ${epoch} with ${report?.resumes} resumes, ${report?.fetchedBytes} bytes fetched of ${web.ova.length}`,
    );
    expect(doneBytes).toBeGreaterThan(4 * MIB);
    expect(report?.fetchedBytes).toBeLessThan(web.ova.length + 8 * MIB);
  });

  test('who may not forward ports is told which right it takes, and leaves nothing that copies', async () => {
    const user = await world.cluster.createUser('almost');
    const apiGroup = 'rbac.authorization.k8s.io';
    const metadata = { name: 'almost', namespace: 'default' };
    const all = ['get', 'list', 'watch', 'create', 'patch', 'delete'];
    await world.cluster.apply([
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'Role',
        metadata,
        rules: [
          { apiGroups: ['migration.harvesterhci.io'], resources: ['*'], verbs: all },
          { apiGroups: [''], resources: ['secrets', 'pods'], verbs: all },
        ],
      },
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup, kind: 'Role', name: 'almost' },
        subjects: [{ apiGroup, kind: 'User', name: 'almost' }],
      },
    ]);
    const result = await start(local('almost', 'local-wait', '--image', world.imageName), user).result;
    expect(result.status).toBe(1);
    expect(words(result)).toContain('error ClusterForbidden');
    expect(words(result)).toContain('kubectl auth can-i create pods --subresource=portforward --namespace default');
  });
});

function controllerDeployment(namespace: string, image: string): object {
  const labels = { app: 'controller' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'harvester-vm-import-controller', namespace },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'controller', image }] } },
    },
  };
}
