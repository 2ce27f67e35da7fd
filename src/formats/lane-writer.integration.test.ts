import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiskWriter } from '../ports/disk-writer.ts';
import type { LanePlace } from '../ports/lane.ts';
import { nodeStorage } from '../targets/dir/node-storage.ts';
import { readWholeDisk } from '../testing/apply-disk-reader.ts';
import { randomBelow, randomBytes, seededRandom } from '../testing/random.ts';
import { requireTool } from '../testing/require-tool.ts';
import { decodePiece } from './decode-piece.ts';
import { openQcow2Writer } from './qcow2/qcow2-writer.ts';
import { createRawWriter } from './raw/raw-writer.ts';

const MIB = 2 ** 20;
const BLOCK = 65_536;
const BLOCKS_PER_LEAF = 64;
const hasTools = requireTool('qemu-img');

/** As a lane does it, without the engine around: takes runs of the disk and answers with their places. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ openLaneWriter }) => {
    const writer = openLaneWriter(workerData.target, workerData.size);
    parentPort.on('message', (message) => {
      if (message === 'close') { writer[Symbol.dispose](); parentPort.close(); return; }
      parentPort.postMessage(writer.write(message.offset, message.bytes));
    });
    parentPort.postMessage([]);
  });
`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-lanes-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const qemuImg = (...args: string[]) => execFileSync('qemu-img', args, { cwd: folder, stdio: 'pipe' }).toString();

/** Has several threads write the runs, all at once. */
async function writeOnLanes(
  writer: DiskWriter,
  disk: Buffer,
  runs: readonly { first: number; blocks: number }[],
  threads: number,
): Promise<void> {
  const module = new URL('./lane-writer.ts', import.meta.url).href;
  const left = [...runs];
  const lane = async () => {
    const worker = new Worker(WORKER, {
      eval: true,
      workerData: { module, target: writer.laneTarget, size: disk.length },
    });
    await once(worker, 'message');
    for (let run = left.shift(); run !== undefined; run = left.shift()) {
      const offset = run.first * BLOCK;
      worker.postMessage({ offset, bytes: Uint8Array.from(disk.subarray(offset, offset + run.blocks * BLOCK)) });
      const [places]: [LanePlace[]] = (await once(worker, 'message')) as [LanePlace[]];
      writer.adoptPlaces?.(places);
    }
    worker.postMessage('close');
    await once(worker, 'exit');
  };
  await Promise.all(Array.from({ length: threads }, lane));
}

/** A disk of which some runs are noise and some are text, in a shuffled order. */
function buildDisk(size: number, seed: number) {
  const random = seededRandom(seed);
  const disk = Buffer.alloc(size);
  const runs: { first: number; blocks: number; order: number }[] = [];
  const total = Math.ceil(size / BLOCK);
  for (let first = 0; first < total; ) {
    const blocks = Math.min(total - first, 1 + randomBelow(random, 16));
    const part = disk.subarray(first * BLOCK, (first + blocks) * BLOCK);
    for (let at = 0; at < part.length; at += BLOCK) {
      const block = part.subarray(at, at + BLOCK);
      block.fill(`text of block ${first + at} `);
      block.set(randomBytes(random, Math.min(block.length, randomBelow(random, BLOCK + 20_000))));
    }
    runs.push({ first, blocks, order: random() });
    first += blocks + randomBelow(random, 12);
  }
  return { disk, runs: runs.toSorted((one, other) => one.order - other.order) };
}

async function writeExpected(disk: Buffer): Promise<void> {
  await using raw = await open(join(folder, 'expected.raw'), 'w');
  await raw.writeFile(disk);
}

describe.skipIf(!hasTools)('images that several threads write at once, as QEMU sees them', () => {
  const sizes = [MIB + 77, 96 * MIB, 64 * MIB + 512];
  test.each(sizes.flatMap((size) => (['none', 'zstd'] as const).map((compression) => [size, compression] as const)))(
    'a qcow2 of %i bytes, compression %s, interrupted and continued',
    async (size, compression) => {
      const { disk, runs } = buildDisk(size, size);
      await writeExpected(disk);
      const storage = nodeStorage.openFolder(folder);
      for (const name of ['out.qcow2', 'out.journal']) await storage.removeFile(name);
      const start = async () =>
        openQcow2Writer({
          image: await storage.openFile('out.qcow2', { create: true }),
          journal: await storage.openFile('out.journal', { create: true }),
          virtualSizeBytes: size,
          compression,
        });
      const leafOf = (block: number) => Math.floor(block / BLOCKS_PER_LEAF);
      const leaves = Math.ceil(size / BLOCK / BLOCKS_PER_LEAF);
      const half = Math.ceil(leaves / 2);
      {
        await using writer = await start();
        await writeOnLanes(
          writer,
          disk,
          runs.filter(({ first }) => leafOf(first) < half),
          3,
        );
        // Runs may reach into the first leaf behind the half, which is not recorded and so is written again.
        for (let leaf = 0; leaf < half; leaf += 1) writer.recordLeaf?.(leaf, new Uint8Array(32));
        await writer.flush();
      }
      await using writer = await start();
      for (let leaf = 0; leaf < leaves; leaf += 1) expect(writer.hasLeaf?.(leaf)).toBe(leaf < half);
      await writeOnLanes(
        writer,
        disk,
        runs.filter(({ first, blocks }) => leafOf(first + blocks - 1) >= half),
        4,
      );
      await writer.finish();

      const check = JSON.parse(qemuImg('check', '--output', 'json', 'out.qcow2'));
      expect([check['check-errors'], check.leaks ?? 0, check.corruptions ?? 0]).toEqual([0, 0, 0]);
      expect(qemuImg('compare', '-f', 'raw', '-F', 'qcow2', 'expected.raw', 'out.qcow2')).toContain('identical');
      await using reader = await writer.openWritten();
      expect((await readWholeDisk(reader, decodePiece)).equals(disk)).toBe(true);
    },
  );

  test('lanes and this thread write one qcow2 together', async () => {
    const size = 48 * MIB;
    const { disk, runs } = buildDisk(size, 5);
    await writeExpected(disk);
    const storage = nodeStorage.openFolder(folder);
    for (const name of ['out.qcow2', 'out.journal']) await storage.removeFile(name);
    await using writer = await openQcow2Writer({
      image: await storage.openFile('out.qcow2', { create: true }),
      journal: await storage.openFile('out.journal', { create: true }),
      virtualSizeBytes: size,
      compression: 'zstd',
    });
    const lanes = writeOnLanes(
      writer,
      disk,
      runs.filter((_, index) => index % 2 === 0),
      2,
    );
    for (const { first, blocks } of runs.filter((_, index) => index % 2 === 1)) {
      await writer.write(first * BLOCK, disk.subarray(first * BLOCK, (first + blocks) * BLOCK));
    }
    await lanes;
    await writer.finish();
    const check = JSON.parse(qemuImg('check', '--output', 'json', 'out.qcow2'));
    expect([check['check-errors'], check.leaks ?? 0, check.corruptions ?? 0]).toEqual([0, 0, 0]);
    expect(qemuImg('compare', '-f', 'raw', '-F', 'qcow2', 'expected.raw', 'out.qcow2')).toContain('identical');
  });

  test('a raw image keeps its holes', async () => {
    const size = 64 * MIB + 777;
    const { disk, runs } = buildDisk(size, 9);
    await writeExpected(disk);
    const storage = nodeStorage.openFolder(folder);
    await using writer = await createRawWriter(await storage.openFile('out.raw', { create: true }), size);
    await writeOnLanes(writer, disk, runs, 3);
    await writer.finish();
    expect(qemuImg('compare', '-f', 'raw', '-F', 'raw', 'expected.raw', 'out.raw')).toContain('identical');
    expect(await writer.allocatedBytes()).toBeLessThan(size);
    await using reader = await writer.openWritten();
    expect((await readWholeDisk(reader, decodePiece)).equals(disk)).toBe(true);
  });
});
