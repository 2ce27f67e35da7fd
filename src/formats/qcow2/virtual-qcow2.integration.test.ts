// QEMU's judgement of files that nobody wrote.
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomBelow, randomBytes, seededRandom } from '../../testing/random.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { AllocatedClusters } from './allocated-clusters.ts';
import { VirtualQcow2 } from './virtual-qcow2.ts';

const CLUSTER = 65_536;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-virtual-qcow2-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const qemuImg = (...args: string[]) =>
  execFileSync('qemu-img', args, { cwd: folder, stdio: 'pipe', maxBuffer: 64 * MIB }).toString();

const zeroes = Buffer.alloc(4 * MIB);
const isZero = (bytes: Uint8Array) => Buffer.compare(bytes, zeroes.subarray(0, bytes.length)) === 0;

/** Writes the disk as a sparse raw file and its virtual qcow2 as a file, as a downloader would. */
async function download(size: number, runs: readonly (readonly [offset: number, length: number])[], seed = 1) {
  const random = seededRandom(seed);
  const pattern = Buffer.from(randomBytes(random, MIB));
  const allocated = new AllocatedClusters(size);
  const raw = await open(join(folder, 'disk.raw'), 'w+');
  const file = await open(join(folder, 'disk.qcow2'), 'w');
  try {
    await raw.truncate(size);
    for (const [offset, length] of runs) {
      allocated.add(offset, length);
      // Only a run's ends: what lies between is zeroes that count as data, and takes no room here.
      const most = Math.min(MIB, length);
      await raw.write(pattern, 0, most, offset);
      await raw.write(pattern, 0, most, offset + length - most);
    }
    const image = new VirtualQcow2(allocated, async (offset, length) => {
      const bytes = new Uint8Array(length);
      expect((await raw.read(bytes, 0, length, offset)).bytesRead).toBe(length);
      return bytes;
    });
    await file.truncate(image.fileBytes);
    let at = 0;
    for await (const part of image.read(0, image.fileBytes)) {
      if (!isZero(part)) await file.write(part, 0, part.length, at);
      at += part.length;
    }
    expect(at).toBe(image.fileBytes);
    return image;
  } finally {
    await raw.close();
    await file.close();
  }
}

describe.skipIf(!requireTool('qemu-img'))('a virtual qcow2 as QEMU sees it', () => {
  const cases: readonly [what: string, size: number, runs: (readonly [number, number])[]][] = [
    ['a disk of no bytes', 0, []],
    ['one sector', 512, [[0, 512]]],
    ['all holes', 64 * MIB, []],
    ['all data', 24 * MIB, [[0, 24 * MIB]]],
    ['an odd size, all data', 8 * MIB + 1000, [[0, 8 * MIB + 1000]]],
    ['an odd size that ends in a hole', 8 * MIB + 1000, [[0, 100]]],
    ['data on both sides of what one L2 table maps', 2 * GIB, [[512 * MIB - CLUSTER, 2 * CLUSTER]]],
    ['more clusters than one refcount block counts', 4 * GIB, [[0, 2 * GIB + 5 * CLUSTER]]],
    [
      'a TiB with little in it',
      TIB,
      [
        [0, 3 * MIB],
        [300 * GIB + 5, 70_000],
        [TIB - CLUSTER, CLUSTER],
      ],
    ],
  ];
  test.each(cases)(
    '%s',
    async (_, size, runs) => {
      const image = await download(size, runs);
      const check = JSON.parse(qemuImg('check', '--output', 'json', 'disk.qcow2'));
      expect(check).toMatchObject({ 'check-errors': 0 });
      expect([check.leaks ?? 0, check.corruptions ?? 0]).toEqual([0, 0]);
      // QEMU counts disks in sectors.
      const info = JSON.parse(qemuImg('info', '--output', 'json', 'disk.qcow2'));
      expect(info['virtual-size']).toBe(Math.ceil(size / 512) * 512);
      if (size > 0)
        expect(qemuImg('compare', '-f', 'raw', '-F', 'qcow2', 'disk.raw', 'disk.qcow2')).toMatch(/identical/);
      const map = JSON.parse(qemuImg('map', '--output', 'json', 'disk.qcow2')) as { length: number; data: boolean }[];
      const dataBytes = map.filter(({ data }) => data).reduce((sum, { length }) => sum + length, 0);
      expect(Math.ceil(dataBytes / CLUSTER)).toBe(image.layout.dataClusters);
    },
    60_000,
  );

  test('random allocations', async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const random = seededRandom(seed);
      const size = 1 + randomBelow(random, 3 * GIB);
      const runs = Array.from({ length: 20 }, () => {
        const offset = randomBelow(random, size);
        return [offset, Math.min(size - offset, randomBelow(random, 300_000))] as const;
      });
      await download(size, runs, seed);
      expect(JSON.parse(qemuImg('check', '--output', 'json', 'disk.qcow2')), `seed ${seed}`).toMatchObject({
        'check-errors': 0,
      });
      expect(qemuImg('compare', '-f', 'raw', '-F', 'qcow2', 'disk.raw', 'disk.qcow2'), `seed ${seed}`).toMatch(
        /identical/,
      );
    }
  }, 60_000);
});
