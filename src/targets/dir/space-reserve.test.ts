import { describe, expect, test } from 'vitest';
import { ProblemError } from '../../domain/problems.ts';
import { LossyStorage } from '../../testing/lossy-storage.ts';
import { SpaceReserve } from './space-reserve.ts';

const RESERVE_BYTES = 256 * 1024;

async function open() {
  const storage = new LossyStorage();
  await storage.makeFolder('/work');
  const folder = storage.openFolder('/work');
  const reserve = new SpaceReserve(folder);
  return { storage, folder, reserve, file: await folder.openFile('journal', { create: true }) };
}

describe('SpaceReserve', () => {
  test('is held once, and comes back when a guarded write finds no space', async () => {
    const { storage, folder, reserve, file } = await open();
    storage.freeSpaceBytes = RESERVE_BYTES + 100;
    await reserve.hold();
    await reserve.hold();
    expect(storage.freeSpaceBytes).toBe(100);
    const guarded = reserve.guard(file);
    await guarded.write(0, Buffer.alloc(1000, 1));
    expect(storage.freeSpaceBytes).toBe(RESERVE_BYTES - 900);
    expect(await folder.listFiles()).toEqual(['journal']);
    await expect(guarded.write(1000, Buffer.alloc(RESERVE_BYTES))).rejects.toMatchObject({ code: 'TargetFull' });
  });

  test('says at the start that there is not even room for itself', async () => {
    const { storage, reserve } = await open();
    storage.freeSpaceBytes = RESERVE_BYTES - 1;
    await expect(reserve.hold()).rejects.toMatchObject({ code: 'TargetFull' });
  });

  test('is spent on lack of space only, and a write is tried twice at most', async () => {
    const { folder, reserve } = await open();
    await reserve.hold();
    let tries = 0;
    const failing = (code: 'TargetFull' | 'TargetWriteFailed') => async () => {
      tries += 1;
      throw new ProblemError(code, 'no');
    };
    await expect(reserve.spend(failing('TargetWriteFailed'))).rejects.toMatchObject({ code: 'TargetWriteFailed' });
    expect([tries, await folder.listFiles()]).toEqual([1, ['journal', 'reserve']]);
    await expect(reserve.spend(failing('TargetFull'))).rejects.toMatchObject({ code: 'TargetFull' });
    expect([tries, await folder.listFiles()]).toEqual([3, ['journal']]);
  });

  test('a guarded file is the file in everything else', async () => {
    const { storage, reserve, file } = await open();
    const guarded = reserve.guard(file);
    await guarded.write(0, Buffer.from('abcdef'));
    await guarded.truncate(4);
    await guarded.sync();
    const into = Buffer.alloc(4);
    expect([await guarded.read(0, into), into.toString(), await guarded.sizeBytes()]).toEqual([4, 'abcd', 4]);
    expect(await guarded.allocatedBytes()).toBe(await file.allocatedBytes());
    expect([guarded.name, guarded.path]).toEqual([file.name, undefined]);
    await guarded[Symbol.asyncDispose]();
    expect(storage.readWhole('/work/journal')?.toString()).toBe('abcd');
  });
});
