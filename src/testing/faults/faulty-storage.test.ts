import { describe, expect, test } from 'vitest';
import { FakeClock } from '../fake-clock.ts';
import { LossyStorage } from '../lossy-storage.ts';
import { seededRandom } from '../random.ts';
import { ActiveFaults, type FaultPlan } from './fault-plan.ts';
import { faultyStorage, type StorageFault } from './faulty-storage.ts';

const data = new Uint8Array(100).fill(7);

async function spoil(plan: FaultPlan<StorageFault>) {
  const inner = new LossyStorage();
  await inner.makeFolder('/out');
  const clock = new FakeClock();
  const storage = faultyStorage(inner, { faults: new ActiveFaults(plan), clock });
  const folder = storage.openFolder('/out');
  const file = await folder.openFile('disk.raw', { create: true });
  return { inner, clock, storage, folder, file, written: () => [...(inner.readWhole('/out/disk.raw') ?? [])] };
}

describe('a faulty storage', () => {
  test('without a plan is the storage itself, and counts', async () => {
    const { storage, file, folder, written } = await spoil([]);
    await file.write(0, data);
    await file.sync();
    const into = new Uint8Array(40);
    expect(await file.read(80, into)).toBe(20);
    await folder.replaceFile('state', data);
    await storage.moveFolder('/out', '/done');
    expect(written()).toEqual([]);
    expect(storage.count('write')).toEqual({ operations: 1, bytes: 100 });
    expect(storage.count('read')).toEqual({ operations: 1, bytes: 40 });
    expect(storage.count('sync').operations).toBe(1);
    expect(storage.count('replace', /state/)).toEqual({ operations: 1, bytes: 100 });
    expect(storage.count('replace', /raw/)).toEqual({ operations: 0, bytes: 0 });
    expect(storage.count('rename').operations).toBe(1);
  });

  test.each([
    ['write', 'TargetWriteFailed'],
    ['sync', 'TargetWriteFailed'],
    ['read', 'TargetReadFailed'],
    ['replace', 'TargetWriteFailed'],
    ['rename', 'TargetWriteFailed'],
  ] as const)('fails one %s and does nothing then', async (on, code) => {
    const { storage, folder, file, written } = await spoil([{ at: { operation: 1 }, fault: { on, does: 'fail' } }]);
    const acts = {
      write: () => file.write(0, data),
      sync: () => file.sync(),
      read: () => file.read(0, new Uint8Array(10)),
      replace: () => folder.replaceFile('state', data),
      rename: () => storage.moveFolder('/out', '/done'),
    };
    await expect(acts[on]()).rejects.toMatchObject({ code });
    if (on === 'write') expect(written()).toEqual([]);
    await acts[on]();
  });

  test('is full for a while, then has space again', async () => {
    const { file } = await spoil([{ at: { byte: 150 }, fault: { on: 'write', does: 'full' }, times: 2 }]);
    const outcomes: string[] = [];
    for (let tries = 0; tries < 4; tries += 1)
      outcomes.push(
        await file.write(0, data).then(
          () => 'written',
          ({ code }) => code,
        ),
      );
    expect(outcomes).toEqual(['written', 'TargetFull', 'TargetFull', 'written']);
  });

  test('writes half and says nothing', async () => {
    const { file, written } = await spoil([{ at: { operation: 1 }, fault: { on: 'write', does: 'short' } }]);
    await file.write(0, data);
    expect(written()).toHaveLength(50);
  });

  test('turns a bit of what is written, in its place', async () => {
    const { file, written } = await spoil([{ at: { byte: 130 }, fault: { on: 'write', does: 'flip' } }]);
    await file.write(0, data);
    await file.write(100, data);
    expect(written().flatMap((byte, index) => (byte === 7 ? [] : [index]))).toEqual([130]);
    expect(data.every((byte) => byte === 7)).toBe(true);
  });

  test('turns a bit of what is read, or reads half', async () => {
    const { file } = await spoil([
      { at: { operation: 1 }, fault: { on: 'read', does: 'flip' } },
      { at: { operation: 2 }, fault: { on: 'read', does: 'short' } },
    ]);
    await file.write(0, data);
    const into = new Uint8Array(100);
    await file.read(0, into);
    expect(into.filter((byte) => byte !== 7)).toHaveLength(1);
    expect(await file.read(0, into)).toBe(50);
  });

  test('is slow by the clock it was given', async () => {
    const { file, clock } = await spoil([{ at: { operation: 1 }, fault: { on: 'sync', does: 'slow', ms: 900 } }]);
    await file.sync();
    expect(clock.delays).toEqual([900]);
  });

  test('leaves files of other names alone', async () => {
    const { file, folder } = await spoil([
      { at: { operation: 1 }, fault: { on: 'write', file: /journal/, does: 'fail' } },
    ]);
    await file.write(0, data);
    const journal = await folder.openFile('disk.journal', { create: true });
    await expect(journal.write(0, data)).rejects.toMatchObject({ code: 'TargetWriteFailed' });
  });

  test('counts what a fault is about, so that other files do not move its place', async () => {
    const { file, folder } = await spoil([
      { at: { byte: 120 }, fault: { on: 'write', file: /journal/, does: 'fail' } },
    ]);
    const journal = await folder.openFile('disk.journal', { create: true });
    for (let round = 0; round < 3; round += 1) await file.write(0, data);
    await journal.write(0, data);
    await expect(journal.write(100, data)).rejects.toMatchObject({ code: 'TargetWriteFailed' });
  });

  test('a flush that failed flushed nothing, so a power cut takes what was written', async () => {
    const { inner, file } = await spoil([{ at: { operation: 1 }, fault: { on: 'sync', does: 'fail' } }]);
    await inner.openFolder('/out').sync();
    await file.write(0, data);
    await expect(file.sync()).rejects.toThrow('EIO');
    const sizes = new Set<number>();
    for (let seed = 0; seed < 20; seed += 1) {
      const other = await spoil([{ at: { operation: 1 }, fault: { on: 'sync', does: 'fail' } }]);
      await other.inner.openFolder('/out').sync();
      await other.file.write(0, data);
      await other.file.sync().catch(() => {});
      other.inner.crash(seededRandom(seed));
      sizes.add(other.written().length);
    }
    expect(sizes.has(0)).toBe(true);
  });
});
