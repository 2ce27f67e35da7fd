// An import that is deleted, whatever it is doing, leaves nothing of its own behind, and never hangs.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import type { HttpFileServer } from '../../src/testing/http-file-server.ts';
import { type Appliance, buildAppliance, ImportWorld } from './import-harness.ts';
import { importObject, sourceObjects } from './import-objects.ts';

const MIB = 1024 * 1024;
/** One transfer at once, so that there are queues. */
const SETTINGS = { AIRLIFT_TRANSFERS: '1' };

describe.skipIf(!canStartNode())('an import that is deleted', () => {
  let world: ImportWorld;
  let web: Appliance;
  /** Sends the first half of the file and then nothing. */
  let held: HttpFileServer;
  let before: readonly string[];

  beforeAll(async () => {
    web = await buildAppliance(48 * MIB, 32 * MIB);
    world = await ImportWorld.start();
    const server = await world.serve({ '/web.ova': web.ova, '/broken.ova': broken(web.ova) });
    held = await world.serve({ '/web.ova': web.ova });
    const silent = await world.serve({ '/web.ova': web.ova });
    silent.faults = { stallsAfter: { bytes: -1 } };
    const urls = {
      good: server.url('/web.ova'),
      broken: server.url('/broken.ova'),
      missing: server.url('/nothing.ova'),
      held: held.url('/web.ova'),
      silent: silent.url('/web.ova'),
    };
    await world.cluster.apply(Object.entries(urls).flatMap(([name, url]) => sourceObjects({ name, url })));
    held.faults = { stallsAt: { byte: Math.floor(web.ova.length / 2) } };
    await world.startController(SETTINGS);
    before = await world.inventory();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const name of (await world.inventory()).filter((each) => each.startsWith('virtualmachineimport')))
      await world.cluster.kubectl(['delete', name, '--wait=false']);
    await expectNothingLeft();
  });

  test('while its source is being asked and does not answer', async () => {
    await begin('asking', 'silent');
    await world.eventually(async () => ((await world.readImport('asking')).metadata.finalizers ?? []).length > 0);
    await remove('asking');
  });

  test('stalled, since its source is not there', async () => {
    await begin('stalled', 'missing');
    await world.waitForPhase('stalled', 'Stalled');
    await remove('stalled');
  });

  test('with a Pod that waits for a volume', async () => {
    await begin('unbound', 'good', { storageClass: 'local-wait' });
    await world.eventually(async () => (await world.diskOf('unbound'))?.phase === 'Starting');
    await remove('unbound');
  });

  test('in the queue, behind one that is copied', async () => {
    await beginHeld('first');
    await begin('second', 'good', { storageClass: 'local-wait' });
    await world.eventually(async () => (await world.diskOf('second'))?.phase === 'Queued');
    await remove('second');
    await world.eventually(async () => (await world.diskOf('first'))?.phase === 'Transferring');
    await remove('first');
  });

  test('while it is copied', async () => {
    await beginHeld('copying');
    await remove('copying');
  });

  test('suspended midway', async () => {
    await beginHeld('suspended');
    await world.cluster.kubectl(['patch', 'vmimport', 'suspended', '--type=merge', '-p', '{"spec":{"suspend":true}}']);
    await world.waitForPhase('suspended', 'Suspended');
    await remove('suspended');
  });

  test('in the moment in which its worker died', async () => {
    await beginHeld('dying');
    const pod = await world.runningPodOf('dying');
    await world.cluster.node.killContainer({ namespace: 'default', pod });
    await remove('dying');
  });

  test('failed for good', async () => {
    await begin('failed', 'broken', await volumeFor('failed'));
    await world.waitForPhase('failed', 'Failed');
    await remove('failed');
  });

  test('finished: machine and volume are the user’s and stay', async () => {
    await begin('finished', 'good', await volumeFor('finished'));
    await world.waitForPhase('finished', 'Finished');
    await remove('finished');
    const users = ['persistentvolumeclaim/finished-disk-0', 'virtualmachine.kubevirt.io/finished'];
    await world.eventually(async () => sameAs(await world.inventory(), [...before, ...users]));
    await world.cluster.kubectl(['delete', ...users]);
  });

  test('while no controller runs: it ends when one is there again', async () => {
    await beginHeld('orphaned');
    await world.stopController();
    await world.cluster.kubectl(['delete', 'vmimport', 'orphaned', '--wait=false']);
    expect(await world.inventory()).toContain('virtualmachineimport.migration.harvesterhci.io/orphaned');
    await world.restartController(SETTINGS);
    await expectNothingLeft();
  });

  test('with its whole namespace, copying and queued, also while no controller runs', async () => {
    const { cluster } = world;
    await cluster.kubectl(['create', 'namespace', 'team']);
    for (const name of ['one', 'two'])
      await cluster.apply([importObject({ name, source: 'held', namespace: 'team' }, await volumeFor(`team-${name}`))]);
    await world.eventually(async () => {
      const pods = await cluster.kubectl(['get', 'pods', '-n', 'team', '-o', 'jsonpath={.items[*].status.phase}']);
      return pods === 'Running';
    });
    await world.stopController();
    await cluster.kubectl(['delete', 'namespace', 'team', '--wait=false']);
    await world.restartController(SETTINGS);
    await cluster.kubectl(['wait', '--for=delete', 'namespace/team', '--timeout=60s']);
  });

  async function begin(name: string, source: string, spec: object = { storageClass: 'local-wait' }): Promise<void> {
    await world.cluster.apply([importObject({ name, source }, spec)]);
  }

  /** Returns when about half of it is copied. */
  async function beginHeld(name: string): Promise<void> {
    const sent = held.bytesSent;
    await begin(name, 'held', await volumeFor(name));
    await world.eventually(async () => held.bytesSent - sent > web.ova.length / 3);
  }

  async function volumeFor(name: string): Promise<object> {
    const { node } = world.cluster;
    const volume = await node.createVolume({ name, sizeBytes: web.content.length, volumeMode: 'Block' });
    return { storageClass: volume.storageClass };
  }

  async function remove(name: string): Promise<void> {
    const since = performance.now();
    await world.cluster.kubectl(['delete', 'vmimport', name, '--timeout=60s']);
    console.info(`${name}: gone after ${((performance.now() - since) / 1000).toFixed(1)} s`);
  }

  /** Kubernetes itself removes Pods that have ended a moment after their Job. */
  async function expectNothingLeft(): Promise<void> {
    await world.eventually(async () => sameAs(await world.inventory(), before));
  }
});

function sameAs(one: readonly string[], other: readonly string[]): boolean {
  return one.toSorted().join() === other.toSorted().join();
}

/** Differs from what its manifest says, somewhere in the disk. */
function broken(ova: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(ova);
  const at = Math.floor(copy.length / 2);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
