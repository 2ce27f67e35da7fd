import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLibc } from '../../lib/libc.ts';
import { randomBelow, seededRandom } from '../../testing/random.ts';
import { DeviceDisk } from './device-disk.ts';
import { type DeviceCalls, openDevice } from './open-device.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'airlift-device-'));
  path = join(folder, 'device');
});
afterEach(() => rmSync(folder, { recursive: true }));

type Punch = { readonly offset: number; readonly length: number };
/** A device of 512-byte blocks that answers as told and notes what it was asked. */
function device(answer: (punch: Punch, count: number) => 'done' | 'unsupported'): DeviceCalls & { punches: Punch[] } {
  const punches: Punch[] = [];
  return {
    punches,
    deviceSizeBytes: () => undefined,
    logicalBlockBytes: () => 512,
    punchHole(_descriptor, offset, length) {
      const result = answer({ offset, length }, punches.length);
      punches.push({ offset, length });
      return result;
    },
  };
}

async function openDisk(calls: DeviceCalls, virtualSizeBytes: number, content = Buffer.alloc(virtualSizeBytes, 0xff)) {
  writeFileSync(path, content);
  return new DeviceDisk(await openDevice(path, calls), virtualSizeBytes, { ownsDevice: true });
}

describe('zeroing a hole', () => {
  test('asks for runs of at most 1 GiB and writes nothing', async () => {
    const calls = device(() => 'done');
    await using disk = await openDisk(calls, 3 * GIB, Buffer.alloc(1));
    await disk.zero(MIB, 2 * GIB + 512);
    expect(calls.punches).toEqual([
      { offset: MIB, length: GIB },
      { offset: MIB + GIB, length: GIB },
      { offset: MIB + 2 * GIB, length: 512 },
    ]);
    expect(disk.zeroMethod).toBe('punched');
    expect(readFileSync(path).length).toBe(1);
  });

  test('asks for whole blocks only and writes the rest, up to the end of the disk and no further', async () => {
    const calls = device(() => 'done');
    await using disk = await openDisk(calls, 2077, Buffer.alloc(4096, 0xff));
    await disk.zero(100, 1977);
    expect(calls.punches).toEqual([{ offset: 512, length: 1536 }]);
    const content = readFileSync(path);
    const written = [...content.entries()].filter(([, byte]) => byte === 0).map(([at]) => at);
    expect([written[0], written.at(-1), written.length]).toEqual([100, 2076, 412 + 29]);
    // The few bytes beside the blocks say nothing about the device.
    expect(disk.zeroMethod).toBe('punched');
  });

  test('a device that refuses gets zeroes, and is not asked again', async () => {
    const calls = device(() => 'unsupported');
    const sizeBytes = 3 * MIB + 700;
    await using disk = await openDisk(calls, sizeBytes);
    await disk.zero(65_536, MIB);
    await disk.zero(2 * MIB, sizeBytes - 2 * MIB);
    expect(calls.punches).toHaveLength(1);
    expect(disk.zeroMethod).toBe('written');
    const content = readFileSync(path);
    const isZero = (from: number, to: number) => content.subarray(from, to).every((byte) => byte === 0);
    const isOld = (from: number, to: number) => content.subarray(from, to).every((byte) => byte === 0xff);
    expect([isOld(0, 65_536), isZero(65_536, 65_536 + MIB), isOld(65_536 + MIB, 2 * MIB)]).toEqual([true, true, true]);
    expect([isZero(2 * MIB, sizeBytes), content.length]).toEqual([true, sizeBytes]);
  });

  test('one that refuses midway gets zeroes from there on', async () => {
    const calls = device(({ length }) => (length === GIB ? 'done' : 'unsupported'));
    await using disk = await openDisk(calls, GIB + MIB, Buffer.alloc(1));
    await disk.zero(0, GIB + MIB);
    expect(calls.punches).toHaveLength(2);
    expect(disk.zeroMethod).toBe('written');
    // Nothing was written into the first run.
    expect(await disk.allocatedBytes()).toBeLessThanOrEqual(2 * MIB);
  });

  test.each([
    ['ENOSPC', 'TargetFull'],
    ['EIO', 'TargetWriteFailed'],
  ])('%s is no refusal but %s', async (code, problem) => {
    const calls = device(() => {
      throw Object.assign(new Error(code), { code });
    });
    await using disk = await openDisk(calls, MIB);
    await expect(disk.zero(0, MIB)).rejects.toMatchObject({ code: problem, context: { path, errno: code } });
    expect(disk.zeroMethod).toBeUndefined();
  });

  test.each([{ punches: true }, { punches: false }])(
    'any runs in any order read as zeroes: %o',
    async ({ punches }) => {
      const random = seededRandom(7);
      const sizeBytes = MIB + 333;
      const expected = Buffer.alloc(sizeBytes, 0xff);
      const calls = device(({ offset, length }) => {
        if (!punches) return 'unsupported';
        const content = readFileSync(path);
        writeFileSync(path, content.fill(0, offset, offset + length));
        return 'done';
      });
      await using disk = await openDisk(calls, sizeBytes);
      for (let round = 0; round < 40; round += 1) {
        const offset = randomBelow(random, sizeBytes);
        const length = randomBelow(random, sizeBytes - offset);
        await disk.zero(offset, length);
        expected.fill(0, offset, offset + length);
      }
      expect(readFileSync(path).equals(expected)).toBe(true);
    },
  );
});

describe('the disk on a device', () => {
  const calls = createLibc(undefined);

  test('ends where the virtual disk ends, for reading and writing', async () => {
    await using disk = await openDisk(calls, 1000, Buffer.alloc(4096, 0xff));
    const into = Buffer.alloc(100, 1);
    expect(await disk.read(950, into)).toBe(50);
    expect([into[49], into[50]]).toEqual([0xff, 1]);
    expect(await disk.read(2000, into)).toBe(0);
    await expect(disk.write(950, Buffer.alloc(51))).rejects.toThrow(RangeError);
    await expect(disk.zero(950, 51)).rejects.toThrow(RangeError);
    expect(await disk.sizeBytes()).toBe(1000);
  });

  test('never changes the size of what it is on', async () => {
    await using disk = await openDisk(calls, 1000, Buffer.alloc(4096, 0xff));
    await expect(disk.truncate()).rejects.toThrow('keeps its size');
    expect(readFileSync(path).length).toBe(4096);
  });
});
