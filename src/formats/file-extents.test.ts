import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLibc } from '../lib/libc.ts';
import { collect } from '../testing/collect.ts';
import { fileExtents } from './file-extents.ts';

const MIB = 2 ** 20;

describe('fileExtents', () => {
  let folder: string;
  let file: FileHandle;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'airlift-extents-'));
    file = await open(join(folder, 'sparse'), 'w+');
    await file.truncate(9 * MIB);
    await file.write(Buffer.alloc(MIB, 1), 0, MIB, MIB);
    await file.write(Buffer.alloc(MIB, 2), 0, MIB, 8 * MIB);
    await file.sync();
  });
  afterAll(async () => {
    await file.close();
    await rm(folder, { recursive: true });
  });

  test('every byte of data is in one, whatever the file system tells', async () => {
    const extents = await collect(fileExtents(file.fd, 9 * MIB));
    const isCovered = (at: number) => extents.some(({ offset, length }) => offset <= at && at < offset + length);
    expect([MIB, 2 * MIB - 1, 8 * MIB, 9 * MIB - 1].map(isCovered)).toEqual([true, true, true, true]);
    const whole = await collect(fileExtents(file.fd, 9 * MIB, { seek: createLibc(undefined) }));
    expect(whole).toEqual([{ offset: 0, length: 9 * MIB }]);
  });

  test('none lies beyond the size the file had when it was opened', async () => {
    const seek = { seekData: (_: number, at: number) => at, seekHole: () => 500 };
    expect(await collect(fileExtents(0, 400, { seek }))).toEqual([{ offset: 0, length: 400 }]);
    expect(await collect(fileExtents(0, 0, { seek }))).toEqual([]);
    expect(await collect(fileExtents(0, 400, { seek: { ...seek, seekData: () => 400 } }))).toEqual([]);
  });

  // Cut between the two calls, lseek finds no hole behind the data: without a guard this went on for ever, or left the rest out as a hole.
  test('what contradicts itself is data, so that reading it tells', async () => {
    const seek = { seekData: (_: number, at: number) => at + 100, seekHole: (_: number, at: number) => at - 50 };
    expect(await collect(fileExtents(0, 1000, { seek }))).toEqual([{ offset: 100, length: 900 }]);
  });

  test('a long list is looked up as it is asked for, lets others work meanwhile, and can be stopped', async () => {
    let calls = 0;
    const seek = {
      seekData: (_: number, at: number) => {
        calls += 1;
        return Math.ceil(at / 10) * 10;
      },
      seekHole: (_: number, at: number) => at + 5,
    };
    for await (const _extent of fileExtents(0, 1e6, { seek })) break;
    expect(calls).toBe(1);
    const stop = new AbortController();
    setImmediate(() => stop.abort());
    await expect(collect(fileExtents(0, 1e6, { seek, signal: stop.signal }))).rejects.toThrow();
    expect(calls).toBeLessThan(10_000);
  });
});
