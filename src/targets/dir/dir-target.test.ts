import { describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import { decodePiece } from '../../formats/decode-piece.ts';
import { openLaneWriter } from '../../formats/lane-writer.ts';
import { openQcow2Image } from '../../formats/qcow2/qcow2-image.ts';
import { collect } from '../../testing/collect.ts';
import { HurriedClock } from '../../testing/fake-clock.ts';
import { LossyStorage } from '../../testing/lossy-storage.ts';
import { MemoryStorageFile } from '../../testing/memory-storage.ts';
import { plainWindow } from '../../testing/plain-window.ts';
import { seededRandom } from '../../testing/random.ts';
import { buildSyntheticDisk, syntheticReader } from '../../testing/synthetic-disk.ts';
import { createInlineLanes } from '../../transfer/lanes/inline-lanes.ts';
import { loadLibcryptoHashes } from '../../transfer/libcrypto-hashes.ts';
import { nodeHashes } from '../../transfer/stored-digest.ts';
import { transferDisk } from '../../transfer/transfer-disk.ts';
import { openDirTarget } from './dir-target.ts';

const parts = {
  decode: decodePiece,
  lanes: createInlineLanes({ decode: decodePiece, openWriter: openLaneWriter }),
  window: plainWindow,
  hashes: loadLibcryptoHashes() ?? nodeHashes,
  clock: new HurriedClock(),
};
const disk = buildSyntheticDisk({ virtualSizeBytes: 3 * LEAF_BYTES + 1024, density: 0.3, pieceBytes: 65_536 });
const documents = [{ name: 'report.json', text: '{}' }];
class PowerCut extends Error {}
/** Operations tried per case; CI and the full size set more. */
const CUTS = Number(process.env.AIRLIFT_CRASH_POINTS ?? 12);

async function readDisk(storage: LossyStorage, format: 'raw' | 'qcow2'): Promise<Buffer> {
  const bytes = storage.readWhole(`/out/vm/disk-0.${format}`) ?? Buffer.alloc(0);
  if (format === 'raw') return bytes;
  const image = await openQcow2Image(new MemoryStorageFile('disk-0.qcow2', bytes));
  const content = Buffer.alloc(image.virtualSizeBytes);
  await image.read(0, content);
  return content;
}

/** One whole import of the disk; returns how often it was continued. */
async function importDisk(
  storage: LossyStorage,
  format: 'raw' | 'qcow2',
  order: 'rising' | 'shuffled' = 'rising',
): Promise<number> {
  const source = order === 'rising' ? disk : shuffled;
  await using target = await openDirTarget({
    folder: '/out',
    format,
    compression: format === 'qcow2' ? 'zstd' : 'none',
    storage,
  });
  await using machine = await target.openMachine('vm');
  const result = await transferDisk(parts, syntheticReader(source), { target: machine, index: 0, verify: 'readback' });
  await machine.finish(documents);
  return result.resumes;
}
const shuffled = buildSyntheticDisk({
  virtualSizeBytes: 3 * LEAF_BYTES + 1024,
  density: 0.3,
  order: 'shuffled',
  seed: 5,
});

describe('openDirTarget', () => {
  test('gives the finished machine its name and leaves nothing else', async () => {
    const storage = new LossyStorage();
    await importDisk(storage, 'raw');
    expect(await storage.openFolder('/out').listFiles()).toEqual(['vm']);
    expect(await storage.openFolder('/out/vm').listFiles()).toEqual(['disk-0.raw', 'report.json']);
    expect(storage.readWhole('/out/vm/disk-0.raw')?.equals(disk.content)).toBe(true);
  });

  test('refuses a name that is taken, beforehand and at the start, and leaves no partial folder', async () => {
    const storage = new LossyStorage();
    await importDisk(storage, 'raw');
    await using target = await openDirTarget({ folder: '/out', format: 'raw', storage });
    const findings = await collect(target.preflight({ machineName: 'vm', dataBytes: 1, virtualSizeBytes: 1 }));
    expect(findings).toMatchObject([{ severity: 'blocker', code: 'TargetExists', message: '/out/vm exists already' }]);
    await expect(target.openMachine('vm')).rejects.toMatchObject({ code: 'TargetExists' });
    expect(await storage.openFolder('/out').listFiles()).toEqual(['vm']);
  });

  test('one process at a time works on a machine', async () => {
    const storage = new LossyStorage();
    await using target = await openDirTarget({ folder: '/out', format: 'raw', storage });
    await using _held = await target.openMachine('vm');
    await expect(target.openMachine('vm')).rejects.toMatchObject({ code: 'TargetBusy' });
  });

  test.each(['../vm', 'a/b', '.hidden', '', 'a\0b', 'vm.partial'])('does not make a folder named %j', async (name) => {
    await using target = await openDirTarget({ folder: '/out', format: 'raw', storage: new LossyStorage() });
    await expect(target.openMachine(name)).rejects.toMatchObject({ code: 'TargetNotWritable' });
  });

  test('says beforehand that space is short, with both numbers', async () => {
    const storage = new LossyStorage();
    storage.freeSpaceBytes = 10 * 1024 * 1024;
    await using target = await openDirTarget({ folder: '/out', format: 'raw', storage });
    const need = { machineName: 'vm', virtualSizeBytes: 2 ** 30 };
    expect(await collect(target.preflight({ ...need, dataBytes: 100 * 1024 * 1024 }))).toMatchObject([
      { severity: 'blocker', code: 'TargetFull', message: '/ has 10 MiB free; the import needs 117 MiB' },
    ]);
    expect(await collect(target.preflight({ ...need, dataBytes: undefined }))).toMatchObject([
      {
        severity: 'warning',
        code: 'TargetSpaceUncertain',
        message: '/ has 10 MiB free; the disks may take up to 1 GiB',
      },
    ]);
    storage.freeSpaceBytes = 2 ** 31;
    expect(await collect(target.preflight({ ...need, dataBytes: undefined }))).toEqual([]);
  });

  test('counts what an interrupted run already wrote', async () => {
    const storage = new LossyStorage();
    await using target = await openDirTarget({ folder: '/out', format: 'raw', storage });
    {
      await using machine = await target.openMachine('vm');
      await using writer = await machine.openDisk(0, LEAF_BYTES);
      await writer.write(0, Buffer.alloc(2 * 1024 * 1024, 1));
      await machine.saveState('disk-0', Buffer.from('state'));
    }
    const need = { machineName: 'vm', dataBytes: 2 * 1024 * 1024, virtualSizeBytes: LEAF_BYTES };
    storage.freeSpaceBytes = 16.1 * 1024 * 1024;
    expect(await collect(target.preflight(need))).toEqual([]);
    expect(await collect(target.preflight({ ...need, machineName: 'other' }))).toMatchObject([{ code: 'TargetFull' }]);
    storage.freeSpaceBytes = 10 * 1024 * 1024;
    expect(await collect(target.preflight(need))).toMatchObject([
      {
        code: 'TargetFull',
        message: '/out has 10 MiB free besides the 2 MiB that an earlier run wrote; the import needs 18 MiB',
      },
    ]);
  });

  test('a run that ends before its first checkpoint leaves nothing, not even the folders it made', async () => {
    const storage = new LossyStorage();
    await using target = await openDirTarget({ folder: '/a/b/out', format: 'raw', storage });
    await (await target.openMachine('vm'))[Symbol.asyncDispose]();
    expect(await storage.exists('/a')).toBe(false);
  });

  test('--restart discards what an earlier run left', async () => {
    const storage = new LossyStorage();
    await using target = await openDirTarget({ folder: '/out', format: 'raw', storage });
    {
      await using machine = await target.openMachine('vm');
      await machine.openDisk(0, LEAF_BYTES);
      await machine.saveState('disk-0', Buffer.from('state'));
    }
    {
      await using machine = await target.openMachine('vm');
      expect(machine.isContinued).toBe(true);
      expect(Buffer.from((await machine.loadState('disk-0')) ?? []).toString()).toBe('state');
    }
    await using machine = await target.openMachine('vm', { restart: true });
    expect(machine.isContinued).toBe(false);
    expect(await machine.loadState('disk-0')).toBeUndefined();
    expect(await machine.allocatedBytes(0)).toBe(0);
  });

  test('a full target keeps its checkpoint and continues when there is space again', async () => {
    const storage = new LossyStorage();
    storage.freeSpaceBytes = 1_500_000;
    await expect(importDisk(storage, 'raw')).rejects.toMatchObject({ code: 'TargetFull' });
    expect(await storage.openFolder('/out').listFiles()).toEqual(['vm.partial']);
    storage.freeSpaceBytes = Number.POSITIVE_INFINITY;
    expect(await importDisk(storage, 'raw')).toBe(1);
    expect(storage.readWhole('/out/vm/disk-0.raw')?.equals(disk.content)).toBe(true);
  });

  // Only what lanes wrote had met the full target, and the checkpoint then found no room either.
  test.each(['raw', 'qcow2'] as const)(
    'a target filled up by others still takes the checkpoint: %s',
    async (format) => {
      const storage = new LossyStorage();
      await using target = await openDirTarget({ folder: '/out', format, storage });
      await using machine = await target.openMachine('vm');
      await using writer = await machine.openDisk(0, 2 * LEAF_BYTES);
      await writer.write(0, Buffer.alloc(65_536, 1));
      writer.recordLeaf?.(0, new Uint8Array(32));
      storage.freeSpaceBytes = 10;
      await expect(writer.write(LEAF_BYTES, Buffer.alloc(65_536, 1))).rejects.toMatchObject({ code: 'TargetFull' });
      expect(storage.freeSpaceBytes).toBe(10);
      await writer.flush();
      await machine.saveState('disk-0', Buffer.alloc(8000, 1));
      expect(await machine.loadState('disk-0')).toHaveLength(8000);
      storage.freeSpaceBytes = 10;
      await expect(machine.saveState('disk-0', Buffer.alloc(9000, 2))).rejects.toMatchObject({ code: 'TargetFull' });
      expect(await machine.loadState('disk-0')).toHaveLength(8000);
    },
  );
});

describe('a power cut at any operation', () => {
  test.each([
    ['raw', 'rising'],
    ['qcow2', 'rising'],
    ['raw', 'shuffled'],
    ['qcow2', 'shuffled'],
  ] as const)('leaves %s written %s either continuable or finished, and never a wrong disk', async (format, order) => {
    const whole = new LossyStorage();
    await importDisk(whole, format, order);
    const total = whole.operations;
    const expected = order === 'rising' ? disk.content : shuffled.content;
    let continued = 0;
    const cuts = [...Array(total).keys()]
      .map((operation) => operation + 1)
      .filter((cut) => (cut * 7) % Math.ceil(total / CUTS) === 0);
    for (const cut of cuts) {
      const random = seededRandom(cut);
      const storage = new LossyStorage();
      storage.onOperation = (operation) => {
        if (operation === cut) throw new PowerCut();
        // Nothing happens after the power is gone, whatever clean-up tries.
        if (operation > cut) throw new PowerCut();
      };
      await expect(importDisk(storage, format, order)).rejects.toThrow();
      storage.onOperation = () => {};
      storage.crash(random);

      const isFinished = await storage.exists('/out/vm');
      if (!isFinished) continued += (await importDisk(storage, format, order)) > 0 ? 1 : 0;
      expect(await storage.openFolder('/out/vm').listFiles()).toEqual([`disk-0.${format}`, 'report.json']);
      expect((await readDisk(storage, format)).equals(expected)).toBe(true);
    }
    expect(continued).toBeGreaterThan(cuts.length / 4);
  });
});
