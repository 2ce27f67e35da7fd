import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Storage } from '../../ports/storage.ts';
import { openDirTarget } from './dir-target.ts';
import { nodeStorage } from './node-storage.ts';
import { openWriteProbe } from './write-probe.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-probe-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const small = { maxBytes: 1_000_000, keepFreeBytes: 0 };

describe('openWriteProbe', () => {
  test('takes bytes and gives them back from the storage', async () => {
    await using probe = await openWriteProbe(nodeStorage, folder, small);
    await probe?.write(0, Buffer.alloc(100_000, 1));
    await probe?.write(100_000, Buffer.alloc(100_000, 2));
    await probe?.flush();
    const into = Buffer.alloc(100_000);
    await probe?.read(100_000, into);
    expect(into.equals(Buffer.alloc(100_000, 2))).toBe(true);
  });

  test('has no name from the beginning, so that nothing is left however the process ends', async () => {
    await using probe = await openWriteProbe(nodeStorage, folder, small);
    await probe?.write(0, Buffer.alloc(1000));
    expect(await readdir(folder)).toEqual([]);
  });

  test('makes no folder: it lies in the nearest one there is', async () => {
    const target = await openDirTarget({ folder: join(folder, 'a', 'b'), format: 'raw' });
    const probe = await target.openProbe?.(small);
    expect(probe).toBeDefined();
    await probe?.[Symbol.asyncDispose]();
    expect(await readdir(folder)).toEqual([]);
  });

  test.each<[string, Partial<Storage>, number]>([
    ['too little free space for itself', { freeBytes: async () => 999_999 }, 0],
    ['too little beside what the import needs', { freeBytes: async () => 1_500_000 }, 500_001],
    ['no permission', { findWriteProblem: async () => 'may not be written' }, 0],
  ])('is refused with %s, and writes nothing', async (_why, storage, keepFreeBytes) => {
    const openFolder = () => expect.fail('nothing is to be opened');
    const strict = { ...nodeStorage, ...storage, openFolder };
    expect(await openWriteProbe(strict, folder, { ...small, keepFreeBytes })).toBeUndefined();
  });

  test('a failure to open it for reading leaves nothing', async () => {
    const storage: Storage = {
      ...nodeStorage,
      openFolder: (path) => {
        const real = nodeStorage.openFolder(path);
        const openFile = async (name: string) => {
          const file = await real.openFile(name, { create: true });
          return Object.defineProperty(file, 'path', { value: join(folder, 'elsewhere') });
        };
        return Object.assign(Object.create(real), { openFile });
      },
    };
    await expect(openWriteProbe(storage, folder, small)).rejects.toMatchObject({ code: 'TargetReadFailed' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('a user who stopped before gets none', async () => {
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(openWriteProbe(nodeStorage, folder, { ...small, signal })).rejects.toThrow('stopped');
  });
});
