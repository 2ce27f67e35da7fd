import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LaneTarget } from '../ports/lane.ts';
import { randomBytes, seededRandom } from '../testing/random.ts';
import { openLaneWriter } from './lane-writer.ts';

const BLOCK = 65_536;
const random = seededRandom(11);
const noise = (blocks: number) => randomBytes(random, blocks * BLOCK);

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-lane-writer-'));
  path = join(folder, 'disk');
  writeFileSync(path, '');
});
afterEach(() => rm(folder, { recursive: true }));

const raw = (at = path): LaneTarget => ({ raw: { path: at, name: 'disk' } });
function qcow2(compression: 'none' | 'zstd', at = path): LaneTarget & { next(): number } {
  const nextCluster = new SharedArrayBuffer(8);
  const counter = new BigInt64Array(nextCluster);
  counter[0] = 1n;
  return { qcow2: { path: at, name: 'disk', compression, nextCluster }, next: () => Number(counter[0]) };
}

describe('openLaneWriter, raw', () => {
  test('writes at the offset in the disk and has no places to tell', async () => {
    using writer = openLaneWriter(raw(), 3 * BLOCK + 77);
    const bytes = noise(2).subarray(0, BLOCK + 77);
    expect(writer.write(2 * BLOCK, bytes)).toEqual([]);
    const file = await readFile(path);
    expect(file.subarray(0, 2 * BLOCK).every((byte) => byte === 0)).toBe(true);
    expect(Buffer.compare(file.subarray(2 * BLOCK), bytes)).toBe(0);
    expect(() => writer.write(3 * BLOCK, noise(1))).toThrow(RangeError);
  });
});

describe('openLaneWriter, qcow2', () => {
  test('puts all blocks of a call into one run of clusters, the last one filled up with zeroes', async () => {
    const target = qcow2('none');
    using writer = openLaneWriter(target, 9 * BLOCK + 100);
    const bytes = noise(3).subarray(0, 2 * BLOCK + 100);
    writer.write(0, noise(1));
    expect(writer.write(7 * BLOCK, bytes)).toEqual([
      { block: 7, position: 256, packedSectors: 0 },
      { block: 8, position: 384, packedSectors: 0 },
      { block: 9, position: 512, packedSectors: 0 },
    ]);
    const file = await readFile(path);
    expect(file.length).toBe(5 * BLOCK);
    expect(Buffer.compare(file.subarray(2 * BLOCK, 4 * BLOCK + 100), bytes)).toBe(0);
    expect(file.subarray(4 * BLOCK + 100).every((byte) => byte === 0)).toBe(true);
    expect(target.next()).toBe(5);
  });

  test('packs what compresses, sector behind sector, and goes on there in the next call', () => {
    const target = qcow2('zstd');
    using writer = openLaneWriter(target, 100 * BLOCK);
    const text = Buffer.alloc(BLOCK, 'some text ');
    const places = writer.write(0, Buffer.concat([text, noise(1), text]));
    expect(places.toSorted((one, other) => one.block - other.block)).toEqual([
      { block: 0, position: 256, packedSectors: 1 },
      { block: 1, position: 128, packedSectors: 0 },
      { block: 2, position: 257, packedSectors: 1 },
    ]);
    expect(writer.write(5 * BLOCK, text)).toEqual([{ block: 5, position: 258, packedSectors: 1 }]);
    expect(target.next()).toBe(3);
  });

  test.each(['none', 'zstd'] as const)(
    'refuses what is not whole blocks of the disk, compression %s',
    (compression) => {
      using writer = openLaneWriter(qcow2(compression), 2 * BLOCK + 10);
      for (const [offset, length] of [
        [100, BLOCK],
        [0, 100],
        [2 * BLOCK, 11],
        [BLOCK, 2 * BLOCK],
      ] as const) {
        expect(() => writer.write(offset, new Uint8Array(length))).toThrow(RangeError);
      }
      expect(writer.write(2 * BLOCK, new Uint8Array(10))).toHaveLength(1);
    },
  );
});

describe.each([
  ['raw', raw],
  ['qcow2', (at: string) => qcow2('none', at)],
] as const)('a lane that writes %s', (_format, targetAt) => {
  test.skipIf(!existsSync('/dev/full'))('names a full target', () => {
    using writer = openLaneWriter(targetAt('/dev/full'), BLOCK);
    expect(() => writer.write(0, noise(1))).toThrow(
      expect.objectContaining({
        code: 'TargetFull',
        message: expect.stringContaining('cannot write /dev/full: ENOSPC'),
      }),
    );
  });

  test('names a target that cannot be opened', () => {
    expect(() => openLaneWriter(targetAt(join(path, 'below')), BLOCK)).toThrow(
      expect.objectContaining({ code: 'TargetNotWritable' }),
    );
    expect(() => openLaneWriter(targetAt(join(folder, 'gone')), BLOCK)).toThrow(
      expect.objectContaining({ code: 'TargetWriteFailed' }),
    );
  });

  test('closes what it opened', () => {
    const writer = openLaneWriter(targetAt(path), BLOCK);
    writer[Symbol.dispose]();
    expect(() => writer.write(0, noise(1))).toThrow(expect.objectContaining({ code: 'TargetWriteFailed' }));
  });
});
