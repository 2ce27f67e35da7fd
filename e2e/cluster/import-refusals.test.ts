// What stands in the way of an import is named within a minute, in the words of whoever refuses, and blocks nothing else; and no more is done at once than may be.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod, PodVolume } from '../../src/api/core-kinds.ts';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { buildLargeDisk } from '../large-disk.ts';
import { type Appliance, buildAppliance, expectSame, ImportWorld } from './import-harness.ts';
import { importObject, sourceObjects } from './import-objects.ts';

const MIB = 1024 * 1024;

describe.skipIf(!canStartNode())('what an import meets', () => {
  let world: ImportWorld;
  let web: Appliance;

  beforeAll(async () => {
    web = await buildAppliance(48 * MIB, 32 * MIB);
    world = await ImportWorld.start();
    const { cluster } = world;
    // Of two hosts: what is relayed is reached by the controller, which runs on this machine.
    for (const [name, address] of Object.entries({ one: cluster.hostAddress, two: '127.0.0.1' })) {
      const server = await world.serve({ '/web.ova': web.ova }, { address });
      await cluster.apply(sourceObjects({ name, url: server.url('/web.ova') }));
    }
    await world.startController();
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  describe('is named within a minute', () => {
    beforeAll(async () => {
      const { cluster } = world;
      await cluster.apply([
        ...tightNamespace('few-bytes', { 'requests.storage': '10Mi' }),
        ...tightNamespace('few-pods', { pods: '0' }),
      ]);
      await cluster.apply([
        importObject({ name: 'classless', source: 'one' }, { storageClass: 'nowhere' }),
        importObject({ name: 'unbound-now', source: 'one' }, { storageClass: 'local-now' }),
        importObject({ name: 'unbound-wait', source: 'one' }, { storageClass: 'local-wait' }),
        importObject({ name: 'large', source: 'one', namespace: 'few-bytes' }, { storageClass: 'local-wait' }),
        importObject({ name: 'podless', source: 'one', namespace: 'few-pods' }, { storageClass: 'local-wait' }),
      ]);
    });

    test.each([
      ['a storage class that is not there', 'classless', 'default', 'StorageClassMissing', /"nowhere"/],
      [
        'a volume that nobody provides',
        'unbound-now',
        'default',
        'VolumeNotBound',
        /claim "unbound-now-disk-0": \w+: .*volume/,
      ],
      [
        'a volume that no Pod gets, though it would bind for one',
        'unbound-wait',
        'default',
        'TransferNotStarted',
        /persistent volumes to bind/,
      ],
      [
        'a quota of storage',
        'large',
        'few-bytes',
        'QuotaExceeded',
        /ResourceQuota "tight" leaves 10 MiB of requests\.storage/,
      ],
      ['a quota of Pods', 'podless', 'few-pods', 'TransferNotStarted', /FailedCreate: .*exceeded quota: tight/],
    ])('%s', async (_what, name, namespace, reason, message) => {
      await world.eventually(async () => (await world.phaseOf(name, namespace)) === 'Stalled', 90_000);
      const { metadata, status } = await world.readImport(name, namespace);
      const stalled = status?.importConditions?.find(({ type }) => type === 'Stalled');
      expect(stalled).toMatchObject({ status: 'True', reason, message: expect.stringMatching(message) });
      const since = Date.parse(metadata.creationTimestamp ?? '');
      expect(Date.parse(stalled?.lastTransitionTime ?? '') - since).toBeLessThan(60_000);
      const events = await world.cluster.kubectl([
        'get',
        'events',
        '-n',
        namespace,
        '-o',
        'jsonpath={.items[*].reason}',
      ]);
      expect(events.split(' ')).toContain(reason);
    });

    test('while another import of the same source goes its way', async () => {
      // It would take the volume.
      await world.cluster.kubectl(['delete', 'vmimport', 'unbound-wait', '--timeout=60s']);
      const volume = await createVolume('free');
      await world.cluster.apply([importObject({ name: 'free', source: 'one' }, { storageClass: volume.storageClass })]);
      await world.waitForPhase('free', 'Finished');
      await expectSame(volume, web.content);
    });

    test('and goes on by itself once there is room for its Pod', async () => {
      const { cluster } = world;
      const volume = await createVolume('podless');
      await cluster.apply(tightNamespace('few-pods', { pods: '2' }));
      await world.eventually(async () => (await world.phaseOf('podless', 'few-pods')) === 'Finished', 120_000);
      await expectSame(volume, web.content);
    });
  });

  describe('is no more than may run at once', () => {
    beforeAll(async () => {
      for (const namespace of ['default', 'few-bytes', 'few-pods'])
        await world.cluster.kubectl(['delete', 'vmimport', '--all', '-n', namespace, '--timeout=60s']);
    });

    test.each([
      ['of one server', 'host', { AIRLIFT_TRANSFERS_PER_HOST: '1' }, /1 transfers read from 198\.\S+ already/],
      ['on the only node', 'node', { AIRLIFT_TRANSFERS_PER_NODE: '2' }, /2 transfers run on the only node/],
    ])('%s', async (_what, prefix, settings, why) => {
      await world.restartController(settings);
      const imports = ['one', 'one', 'two'].map((source, index) => ({ source, name: `${prefix}-${source}-${index}` }));
      const volumes = await Promise.all(imports.map(({ name }) => createVolume(name)));
      const spec = { storageClass: volumes[0]?.storageClass, transfer: { maxRate: '5MB' } };
      await world.cluster.apply(imports.map((each) => importObject(each, spec)));
      const seen: (readonly string[])[] = [];
      const told = new Set<string>();
      await world.eventually(async () => {
        const args = ['get', 'pods', '--field-selector=status.phase!=Succeeded', '-o', 'json'];
        const pods: readonly Pod[] = JSON.parse(await world.cluster.kubectl(args)).items;
        seen.push(pods.flatMap(({ spec: { volumes: all = [] } = {} }) => all.flatMap(claimOf)));
        const progress = await Promise.all(imports.map(({ name }) => world.progressOf(name)));
        for (const { reason, message } of progress) if (reason === 'TransferQueued') told.add(message ?? '');
        return progress.every(({ phase }) => phase === 'Finished');
      });
      // Never more, and never less than could be.
      expect(Math.max(...seen.map((claims) => claims.length))).toBe(2);
      expect([...told].join()).toMatch(why);
      if (prefix === 'host')
        for (const claims of seen) expect(claims.filter((each) => each.includes('-one-')).length).toBeLessThan(2);
      for (const volume of volumes) await expectSame(volume, web.content);
    });

    test('in all, also of the disks of one machine', async () => {
      await world.restartController({ AIRLIFT_TRANSFERS: '1' });
      const disks = await Promise.all(
        [1, 2, 3].map((seed) => buildLargeDisk({ virtualSizeBytes: 24 * MIB, dataBytes: 12 * MIB, seed })),
      );
      const names = disks.map((_, index) => `disk${index}.vmdk`);
      const ova = buildOva({
        machines: [{ id: 'many', disks: names.map((fileName) => ({ fileName, capacityBytes: 24 * MIB })) }],
        contents: Object.fromEntries(names.map((name, index) => [name, disks[index]?.vmdk ?? new Uint8Array()])),
      });
      const server = await world.serve({ '/many.ova': ova });
      const volumes = await Promise.all(names.map((name) => createVolume(name.replace('.vmdk', ''), 24 * MIB)));
      await world.cluster.apply([
        ...sourceObjects({ name: 'many', url: server.url('/many.ova') }),
        importObject({ name: 'many', source: 'many' }, { storageClass: volumes[0]?.storageClass }),
      ]);
      let most = 0;
      await world.eventually(async () => {
        const phases = await world.cluster.kubectl(['get', 'pods', '-o', 'jsonpath={.items[*].status.phase}']);
        most = Math.max(most, phases.split(' ').filter((each) => each === 'Running' || each === 'Pending').length);
        return (await world.phaseOf('many')) === 'Finished';
      });
      expect(most).toBe(1);
    });
  });

  async function createVolume(name: string, sizeBytes = web.content.length) {
    return await world.cluster.node.createVolume({ name, sizeBytes, volumeMode: 'Block' });
  }
});

function claimOf({ persistentVolumeClaim: claim }: PodVolume): string[] {
  return claim === undefined ? [] : [claim.claimName];
}

function tightNamespace(name: string, hard: object): object[] {
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
    { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'tight', namespace: name }, spec: { hard } },
  ];
}
