// An OVA on a web server becomes a machine: the product's own image in a real Pod on a real node, the controller as a process of its own.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOOT_LINE } from '../../src/app/sample/boot-sector.ts';
import { buildSampleAppliance, SAMPLE_VIRTUAL_BYTES } from '../../src/app/sample/sample-appliance.ts';
import { writeStreamOptimized } from '../../src/formats/vmdk/stream-optimized-writer.ts';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { collect } from '../../src/testing/collect.ts';
import type { HttpFileServer, HttpRequestRecord } from '../../src/testing/http-file-server.ts';
import { buildOva } from '../../src/testing/ova-builder.ts';
import { requireTool } from '../../src/testing/require-tool.ts';
import { bootUntil } from '../boot-disk.ts';
import { buildLargeDisk } from '../large-disk.ts';
import { type Appliance, buildAppliance, expectSame, ImportWorld } from './import-harness.ts';
import { importObject, PASSWORD, sourceObjects } from './import-objects.ts';

const MIB = 1024 * 1024;

describe.skipIf(!canStartNode())('an OVA becomes a machine in a cluster', () => {
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

  test('byte for byte, onto a block volume, by a worker that knows no secret of the source', async () => {
    const { cluster } = world;
    const volume = await cluster.node.createVolume({ ...named('disk'), sizeBytes: web.content.length });
    await cluster.apply([importObject({ name: 'web', source: 'files' }, { storageClass: volume.storageClass })]);
    const started = performance.now();
    await world.eventually(async () =>
      (await world.podsOf('web')).some(({ status }) => ['Running', 'Succeeded'].includes(status?.phase ?? '')),
    );
    console.info(`from apply to a running worker: ${((performance.now() - started) / 1000).toFixed(1)} s`);
    await world.waitForPhase('web', 'Finished');

    await expectSame(volume, web.content);
    const machine = JSON.parse(await cluster.kubectl(['get', 'vm', 'web', '-o', 'json']));
    expect(machine.spec.template.spec.volumes).toEqual([
      { name: 'disk-0', persistentVolumeClaim: { claimName: 'web-disk-0' } },
    ]);
    const { status } = await world.readImport('web');
    expect(status?.importStatus).toBe('virtualMachineRunning');
    expect(status?.progress?.disks?.[0]?.digestRoot).toMatch(/^[0-9a-f]{64}$/);
    expect(world.controllerOutput).not.toContain(PASSWORD);
  });

  test('onto a file system, straight from a server that asks for nothing', async () => {
    const { cluster } = world;
    const volume = await cluster.node.createVolume({ ...named('files', 'Filesystem'), sizeBytes: 192 * MIB });
    const open = await world.serve({ '/web.ova': web.ova }, { hasAccount: false });
    const { storageClass } = volume;
    await cluster.apply([
      ...sourceObjects({ name: 'open', url: open.url('/web.ova'), hasAccount: false }),
      importObject(
        { name: 'web-files', source: 'open' },
        { storageClass, target: { volume: { volumeMode: 'Filesystem' } } },
      ),
    ]);
    await world.waitForPhase('web-files', 'Finished');
    // From the Pod itself: the controller relays nothing that needs no account.
    const { hostAddress } = cluster;
    expect(new Set(open.requests.map(({ address }) => address))).not.toEqual(new Set([hostAddress]));
  });

  test.skipIf(!requireTool('qemu-system-x86_64'))('and it boots from what was written', async () => {
    const { cluster } = world;
    const ova = Buffer.concat(await collect(buildSampleAppliance(writeStreamOptimized)));
    const sample = await world.serve({ '/sample.ova': ova });
    const volume = await cluster.node.createVolume({ ...named('boots'), sizeBytes: SAMPLE_VIRTUAL_BYTES });
    await cluster.apply([
      ...sourceObjects({ name: 'sample', url: sample.url('/sample.ova') }),
      importObject({ name: 'boots', source: 'sample' }, { storageClass: volume.storageClass }),
    ]);
    await world.waitForPhase('boots', 'Finished');
    await volume.read(0, 1); // flushes
    expect(await bootUntil(BOOT_LINE, volume.backingFile, 'raw')).toContain(BOOT_LINE);
  });

  test('several disks, each onto a volume of its own kind, whenever that binds', async () => {
    const { cluster } = world;
    const sizes = [8 * MIB, 24 * MIB, 40 * MIB];
    const disks = await Promise.all(
      sizes.map((size, seed) => buildLargeDisk({ virtualSizeBytes: size, dataBytes: size / 2, seed })),
    );
    const files = Object.fromEntries(disks.map(({ vmdk }, index) => [`disk${index}.vmdk`, vmdk]));
    const ova = buildOva({
      machines: [
        {
          id: 'many',
          disks: sizes.map((capacityBytes, index) => ({ fileName: `disk${index}.vmdk`, capacityBytes })),
        },
      ],
      contents: files,
    });
    const many = await world.serve({ '/many.ova': ova });
    const kinds = [
      { bindingMode: 'Immediate', volumeMode: 'Block' },
      { bindingMode: 'WaitForFirstConsumer', volumeMode: 'Block' },
      { bindingMode: 'Immediate', volumeMode: 'Filesystem' },
    ] as const;
    const volumes = await Promise.all(
      kinds.map((kind, index) => {
        const room = kind.volumeMode === 'Filesystem' ? 16 * MIB : 0;
        return cluster.node.createVolume({ name: `many-${index}`, sizeBytes: (sizes[index] ?? 0) + room, ...kind });
      }),
    );
    const wanted = kinds.map(({ volumeMode }, index) => ({
      index,
      volumeMode,
      storageClass: volumes[index]?.storageClass,
    }));
    await cluster.apply([
      ...sourceObjects({ name: 'many', url: many.url('/many.ova') }),
      importObject({ name: 'many', source: 'many' }, { disks: wanted }),
    ]);
    await world.waitForPhase('many', 'Finished');
    for (const [index, volume] of volumes.entries()) {
      const { digestRoot } = (await world.diskOf('many', index)) ?? {};
      expect(digestRoot).toMatch(/^[0-9a-f]{64}$/);
      const content = disks[index]?.content;
      if (kinds[index]?.volumeMode === 'Block' && content !== undefined) await expectSame(volume, content);
    }
    const { spec } = JSON.parse(await cluster.kubectl(['get', 'vm', 'many', '-o', 'json']));
    expect(spec.template.spec.volumes).toHaveLength(3);
  });

  test('killed at half its way, cut off from its API and orphaned, it goes on from its checkpoint', async () => {
    const { cluster } = world;
    const volume = await cluster.node.createVolume({ ...named('hard'), sizeBytes: web.content.length });
    const spec = { storageClass: volume.storageClass, transfer: { maxRate: '1MB' } };
    await cluster.apply([importObject({ name: 'web-hard', source: 'files' }, spec)]);
    // At this rate the first parts come together: twelve of 2 MiB are under way at once (docs/decisions/0009-window.md).
    await world.eventually(async () => {
      const { doneBytes = 0, totalBytes = 1 } = (await world.diskOf('web-hard')) ?? {};
      return (doneBytes ?? 0) * 2 >= (totalBytes ?? 1) && (await world.recordOf('web-hard')).checkpointBytes > 0;
    });
    const { checkpointBytes: reached } = await world.recordOf('web-hard');
    const before = server.requests.length;
    // For the next run: long enough to be met by what follows.
    const faster = '{"spec":{"transfer":{"maxRate":"3MB"}}}';
    await cluster.kubectl(['patch', 'vmimport', 'web-hard', '--type=merge', '-p', faster]);
    await cluster.node.killContainer({ namespace: 'default', pod: await world.runningPodOf('web-hard') });
    await world.eventually(async () => (await world.diskOf('web-hard'))?.epoch === 2);

    await cluster.stopApiServer('SIGKILL');
    await world.stopController('SIGKILL');
    await delay(2000);
    await cluster.startApiServer();
    await cluster.node.restartContainerd();
    await world.restartController();
    await world.waitForPhase('web-hard', 'Finished', 180_000);

    await expectSame(volume, web.content);
    const { result, epoch } = await world.recordOf('web-hard');
    expect(result?.resumes).toBeGreaterThanOrEqual(1);
    // Of what the checkpoint covers nothing is read again but the disk's own tables.
    const covered = Math.floor((reached / web.dataBytes) * web.ova.length);
    const again = server.requests.slice(before).reduce((sum, request) => sum + bytesBelow(covered, request), 0);
    console.info(
      `killed with ${toMib(reached)} of ${toMib(web.dataBytes)} MiB in its checkpoint; ${toMib(again)} MiB of the first ${toMib(covered)} MiB were read again; epoch ${epoch}`,
    );
    expect(reached).toBeGreaterThan(0.2 * web.dataBytes);
    expect(again).toBeLessThan(covered / 4);
  });
});

/** How much of an answer lies before a place in the file. */
function bytesBelow(end: number, { range, bodyBytes }: HttpRequestRecord): number {
  const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  return Math.max(0, Math.min(end, from + bodyBytes) - from);
}

function named(name: string, volumeMode: 'Block' | 'Filesystem' = 'Block') {
  return { name, volumeMode };
}

function toMib(bytes: number): number {
  return Math.round(bytes / MIB);
}
