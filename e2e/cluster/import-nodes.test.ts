// What becomes of a transfer when its node is drained, loses its power, or is cut off from the cluster while its worker works on.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import type { LocalVolume } from '../../src/testing/cluster/node/local-volume.ts';
import type { TestNode } from '../../src/testing/cluster/node/start-node.ts';
import { runProgram } from '../../src/testing/cluster/run-program.ts';
import type { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { type Appliance, buildAppliance, expectSame, ImportWorld } from './import-harness.ts';
import { importObject, sourceObjects } from './import-objects.ts';

const MIB = 1024 * 1024;
/** Longer than a worker goes on without a word from the endpoint (src/worker/run-ahead.ts), and than what was under way then takes. */
const SILENT_MS = 25_000;

describe.skipIf(!canStartNode())('the node of a transfer', () => {
  let world: ImportWorld;
  let web: Appliance;
  let server: HttpFileServer;

  beforeAll(async () => {
    web = await buildAppliance(128 * MIB, 100 * MIB);
    world = await ImportWorld.start();
    server = await world.serve({ '/web.ova': web.ova });
    await world.cluster.apply(sourceObjects({ name: 'files', url: server.url('/web.ova') }));
    await world.startController();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  test('is drained midway: what was copied is saved, a node is waited for, and the copy goes on', async () => {
    const { cluster } = world;
    const volume = await createVolume('drained');
    holdMidway();
    await cluster.apply([importObject({ name: 'drained', source: 'files' }, { storageClass: volume.storageClass })]);
    await world.eventually(async () => ((await world.diskOf('drained'))?.doneBytes ?? 0) > 8 * MIB);
    await cluster.node.drain();
    await world.eventually(async () => /unschedulable/i.test((await world.diskOf('drained'))?.message ?? ''));
    expect(await world.diskOf('drained')).toMatchObject({ epoch: 2, phase: 'Starting', reason: 'TransferNotStarted' });
    expect((await world.recordOf('drained')).checkpointBytes).toBeGreaterThan(4 * MIB);
    server.faults = {};
    await cluster.node.uncordon();
    await world.waitForPhase('drained', 'Finished');
    await expectSame(volume, web.content);
    expect((await world.recordOf('drained')).result).toMatchObject({ resumes: 1 });
  });

  test('loses its power: status says so, nobody else begins, and the copy goes on from its checkpoint when it is back', async () => {
    const { cluster } = world;
    const volume = await createVolume('dark');
    holdMidway();
    await cluster.apply([importObject({ name: 'dark', source: 'files' }, { storageClass: volume.storageClass })]);
    await world.eventually(async () => (await world.recordOf('dark')).checkpointBytes > 4 * MIB);
    await cluster.node.powerOff();
    await world.eventually(async () => (await world.diskOf('dark'))?.reason === 'TransferNodeLost');
    const progress = await world.progressOf('dark');
    expect(progress).toMatchObject({ phase: 'Stalled', reason: 'TransferNodeLost' });
    expect(progress.message).toMatch(/node node with Pod airlift-\S+ does not answer since/);
    expect(progress.disks?.[0]?.epoch).toBe(1);
    server.faults = {};
    await cluster.node.powerOn();
    await world.waitForPhase('dark', 'Finished');
    await expectSame(volume, web.content);
    expect(await world.recordOf('dark')).toMatchObject({ epoch: 2, result: { resumes: 1 } });
  });

  test('is cut off while its worker works on, and declared gone by a person: the worker has stopped before its successor begins elsewhere', async () => {
    const { cluster } = world;
    const nodes = [cluster.node, await world.addNode()];
    const open = await world.serve({ '/web.ova': web.ova }, { hasAccount: false });
    const volume = await createSharedVolume('beside', nodes);
    const spec = { storageClass: volume.storageClass, transfer: { maxRate: '1MB' } };
    await cluster.apply([
      ...sourceObjects({ name: 'open', url: open.url('/web.ova'), hasAccount: false }),
      importObject({ name: 'beside', source: 'open' }, spec),
    ]);
    const pod = await world.runningPodOf('beside');
    const [{ spec: podSpec, status } = {}] = await world.podsOf('beside');
    const lost = nodes.find(({ name }) => name === podSpec?.nodeName) ?? cluster.node;
    const bytesOf = (isFirst: boolean) =>
      open.requests
        .filter(({ address }) => (address === status?.podIP) === isFirst)
        .reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
    await world.eventually(async () => bytesOf(true) > 2 * MIB);

    // The source alone is still there for it: the worst case.
    const { port } = new URL(open.url('/'));
    await cutOff(lost, port);
    const faster = '{"spec":{"transfer":{"maxRate":null}}}';
    await cluster.kubectl(['patch', 'vmimport', 'beside', '--type=merge', '-p', faster]);
    await world.eventually(async () => (await world.diskOf('beside'))?.reason === 'TransferNodeLost');
    await delay(SILENT_MS);
    const whenDeclared = bytesOf(true);
    expect(whenDeclared).toBeLessThan(32 * MIB);
    expect((await world.diskOf('beside'))?.epoch).toBe(1);

    const outOfService = 'node.kubernetes.io/out-of-service=nodeshutdown:NoExecute';
    await cluster.kubectl(['taint', 'node', lost.name, outOfService]);
    await world.waitForPhase('beside', 'Finished', 120_000);
    expect(bytesOf(true)).toBe(whenDeclared);
    expect(bytesOf(false)).toBeGreaterThan(web.ova.length - MIB);
    await expectSame(volume, web.content);
    const record = await world.recordOf('beside');
    expect(record).toMatchObject({ epoch: 2, result: expect.anything() });

    // Its calls go through again, tell it, and it ends without touching the volume.
    await mend(lost, port, world.controllerUrl);
    const log = () => lost.run('sh', ['-c', `cat /var/log/pods/default_${pod}_*/worker/*.log`]);
    // Its Pod is none of the cluster's any more, so its token is not either.
    await world.eventually(async () => /EndpointRefused|TransferSuperseded/.test(await log()));
    await world.eventually(async () => !(await lost.run('ps', ['-eo', 'args'])).includes('transfer-worker'));
    expect(bytesOf(true)).toBe(whenDeclared);
    await expectSame(volume, web.content);
    expect(await world.recordOf('beside')).toEqual(record);
  });

  /** The server sends what lies before a third of the file, and what the window asks for beyond; then nothing. */
  function holdMidway(): void {
    server.faults = { stallsAt: { byte: Math.floor(web.ova.length / 3) } };
  }

  async function createVolume(name: string, alsoOn: readonly string[] = []) {
    const { node } = world.cluster;
    return await node.createVolume({ name, sizeBytes: web.content.length, volumeMode: 'Block', alsoOn });
  }

  /** Like one on a network: each node has a device of its own for it, so that no kernel keeps two writers apart. */
  async function createSharedVolume(name: string, [first, ...others]: readonly TestNode[]): Promise<LocalVolume> {
    const names = others.map((each) => each.name);
    const volume = await createVolume(name, names);
    for (const node of others) {
      const device = (await runProgram('losetup', ['--find', '--show', volume.backingFile])).trim();
      await node.run('mount', ['--bind', device, volume.device]);
    }
    expect(first?.name).toBe(world.cluster.node.name);
    return volume;
  }

  /** From everything on the host but one port: the API, the endpoint. */
  async function cutOff(node: TestNode, port: string): Promise<void> {
    for (const chain of ['OUTPUT', 'FORWARD']) await node.run('iptables', ['-I', chain, ...toHost(), '-j', 'DROP']);
    await node.run('iptables', ['-I', 'FORWARD', ...toHost(), '-p', 'tcp', '--dport', port, '-j', 'ACCEPT']);
  }

  /** Lets the Pod reach the endpoint again; the node stays cut off. */
  async function mend(node: TestNode, port: string, endpointUrl: string): Promise<void> {
    const endpoint = new URL(endpointUrl).port;
    await node.run('iptables', ['-I', 'FORWARD', ...toHost(), '-p', 'tcp', '--dport', endpoint, '-j', 'ACCEPT']);
    expect(port).not.toBe(endpoint);
  }

  function toHost(): string[] {
    return ['-d', world.cluster.hostAddress];
  }
});
