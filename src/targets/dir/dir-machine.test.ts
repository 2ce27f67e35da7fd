import { describe, expect, test } from 'vitest';
import { ProblemError } from '../../domain/problems.ts';
import { LossyStorage } from '../../testing/lossy-storage.ts';
import { seededRandom } from '../../testing/random.ts';
import { openDirTarget } from './dir-target.ts';

class Stop extends Error {}
const SIZE = 4 * 65_536;
const CONTENT = Buffer.alloc(SIZE, 0x5a);
const documents = [
  { name: 'machine.yaml', text: 'kind: VirtualMachine' },
  { name: 'report.json', text: '{}' },
];
const open = (storage: LossyStorage, format: 'raw' | 'qcow2' = 'raw') =>
  openDirTarget({ folder: '/out', format, storage });
const list = (storage: LossyStorage, path: string) => storage.openFolder(path).listFiles();

/** A whole import of one disk by the rules of the engine: nothing is believed but what a checkpoint says of a file that is there. */
async function importDisk(storage: LossyStorage): Promise<void> {
  await using target = await open(storage);
  await using machine = await target.openMachine('vm');
  const isDone = (await machine.loadState('disk-0')) !== undefined && (await machine.hasDisk(0));
  if (!isDone) {
    await machine.discardDisk(0);
    await using writer = await machine.openDisk(0, SIZE);
    await writer.write(0, CONTENT);
    await writer.finish();
    await machine.saveState('disk-0', Buffer.from('done'));
  }
  await machine.finish(documents);
}

async function discardDisk(storage: LossyStorage): Promise<void> {
  await using target = await open(storage);
  await using machine = await target.openMachine('vm');
  await machine.discard();
}

async function stopAt(storage: LossyStorage, operation: number, run: () => Promise<void>): Promise<boolean> {
  const last = storage.operations + operation;
  // Nothing happens after the stop, whatever clean-up tries.
  storage.onOperation = (at) => {
    if (at >= last) throw new Stop();
  };
  const isStopped = await run().then(
    () => false,
    (error: unknown) => {
      if (error instanceof Stop || (error instanceof SuppressedError && error.error instanceof Stop)) return true;
      throw error;
    },
  );
  storage.onOperation = () => {};
  return isStopped;
}

describe.each(['power cut', 'kill'] as const)('a %s between any two operations', (kind) => {
  const end = (storage: LossyStorage, seed: number) =>
    kind === 'kill' ? storage.kill() : storage.crash(seededRandom(seed));
  // Chance decides what a power cut keeps, so that each point is tried more than once.
  const seeds = kind === 'kill' ? [1] : [...Array(12).keys()].map((index) => index + 1);

  test('of an import leaves it continuable or whole, and nothing beside it in the end', async () => {
    let stops = 0;
    let finished = 0;
    for (const seed of seeds) {
      for (let operation = 1; ; operation += 1) {
        const storage = new LossyStorage();
        if (!(await stopAt(storage, operation, () => importDisk(storage)))) break;
        stops += 1;
        end(storage, seed * 1000 + operation);
        if (await storage.exists('/out/vm')) {
          finished += 1;
          await expect(importDisk(storage)).rejects.toMatchObject({ code: 'TargetExists' });
        } else await importDisk(storage);
        expect(await list(storage, '/out')).toEqual(['vm']);
        expect((await list(storage, '/out/vm')).toSorted()).toEqual(['disk-0.raw', 'machine.yaml', 'report.json']);
        expect(storage.readWhole('/out/vm/disk-0.raw')?.equals(CONTENT)).toBe(true);
        expect(storage.readWhole('/out/vm/report.json')?.toString()).toBe('{}');
      }
    }
    expect(stops).toBeGreaterThan(20 * seeds.length);
    expect(finished).toBeGreaterThan(0);
  });

  test('of a removal leaves nothing that a later import takes for its own', async () => {
    let stops = 0;
    for (const seed of seeds) {
      for (let operation = 1; ; operation += 1) {
        const storage = new LossyStorage();
        await leavePartial(storage);
        if (!(await stopAt(storage, operation, () => discardDisk(storage)))) break;
        stops += 1;
        end(storage, seed * 1000 + operation);
        await importDisk(storage);
        expect(await list(storage, '/out')).toEqual(['vm']);
        expect((await list(storage, '/out/vm')).toSorted()).toEqual(['disk-0.raw', 'machine.yaml', 'report.json']);
        expect(storage.readWhole('/out/vm/disk-0.raw')?.equals(CONTENT)).toBe(true);
      }
    }
    expect(stops).toBeGreaterThan(4 * seeds.length);
  });

  /** An import whose disk is done and which then stopped. */
  async function leavePartial(storage: LossyStorage): Promise<void> {
    await using target = await open(storage);
    await using machine = await target.openMachine('vm');
    await using writer = await machine.openDisk(0, SIZE);
    await writer.write(0, CONTENT);
    await writer.finish();
    await machine.saveState('disk-0', Buffer.from('done'));
  }
});

describe('DirMachine', () => {
  // The result would have held disk-0.qcow2 of the first run beside disk-0.raw of the second.
  test('a run killed before its first checkpoint leaves nothing to one with another format', async () => {
    const storage = new LossyStorage();
    const first = await (await open(storage, 'qcow2')).openMachine('vm');
    await first.openDisk(0, SIZE);
    storage.kill();
    await importDisk(storage);
    expect((await list(storage, '/out/vm')).toSorted()).toEqual(['disk-0.raw', 'machine.yaml', 'report.json']);
  });

  // Killed after the result got its name and before the leftovers went; then the user put the result elsewhere.
  test('a checkpoint whose disk has become a result is no disk to a later import', async () => {
    const storage = new LossyStorage();
    let isMoved = false;
    storage.onOperation = (_operation, what) => {
      if (isMoved) throw new Stop();
      isMoved = what.startsWith('move ');
    };
    await expect(importDisk(storage)).rejects.toThrow();
    storage.onOperation = () => {};
    storage.kill();
    await storage.moveFolder('/out/vm', '/elsewhere');
    await importDisk(storage);
    expect(storage.readWhole('/out/vm/disk-0.raw')?.equals(CONTENT)).toBe(true);
    expect(await list(storage, '/out')).toEqual(['vm']);
  });

  test('a name that appeared meanwhile is not replaced, and the work is still there', async () => {
    const storage = new LossyStorage();
    await using target = await open(storage);
    await using machine = await target.openMachine('vm');
    await machine.saveState('disk-0', Buffer.from('done'));
    await storage.makeFolder('/out/vm');
    await expect(machine.finish(documents)).rejects.toMatchObject({ code: 'TargetExists' });
    expect(await list(storage, '/out/vm')).toEqual([]);
    expect(await machine.loadState('disk-0')).toBeDefined();
  });

  // It used to fail the import, whose command then could only find that the machine exists.
  test('what cannot be removed after the machine has its name is a remark', async () => {
    const storage = new LossyStorage();
    await using target = await open(storage);
    await using machine = await target.openMachine('vm');
    await machine.saveState('disk-0', Buffer.from('done'));
    storage.onOperation = (_, what) => {
      if (what.startsWith('remove disk-0.state')) throw new ProblemError('TargetWriteFailed', 'EIO');
    };
    const remarks: string[] = [];
    await machine.finish(documents, { onRemark: (remark) => remarks.push(remark) });
    expect(remarks).toEqual([expect.stringContaining('/out/vm.partial is not needed any more')]);
    expect(await list(storage, '/out/vm')).toEqual(['machine.yaml', 'report.json']);
  });

  test('discarding removes the folders made for it and no others', async () => {
    const storage = new LossyStorage();
    await storage.makeFolder('/home');
    await using target = await openDirTarget({ folder: '/home/a/b', format: 'qcow2', storage });
    await using machine = await target.openMachine('vm');
    await machine.openDisk(0, SIZE);
    await machine.saveState('disk-0', Buffer.from('some'));
    await machine.discard();
    expect(await list(storage, '/home')).toEqual([]);
  });

  test('discarding leaves a folder that holds something else', async () => {
    const storage = new LossyStorage();
    await using target = await open(storage);
    await using one = await target.openMachine('one');
    await using two = await target.openMachine('two');
    await two.saveState('disk-0', Buffer.from('some'));
    await one.discard();
    expect(await list(storage, '/out')).toEqual(['two.partial']);
  });

  test.each(['raw', 'qcow2'] as const)(
    'a checkpoint that survives a power cut has its disk beside it: %s',
    async (format) => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const storage = new LossyStorage();
        const first = await (await open(storage, format)).openMachine('vm');
        await first.openDisk(0, SIZE);
        await first.saveState('disk-0', Buffer.from('some'));
        storage.crash(seededRandom(seed));
        await using target = await open(storage, format);
        await using machine = await target.openMachine('vm');
        expect(machine.isContinued).toBe(true);
        expect(await machine.hasDisk(0)).toBe(true);
      }
    },
  );

  test('a discarded disk loses its checkpoint before its content', async () => {
    const storage = new LossyStorage();
    await using target = await open(storage, 'qcow2');
    await using machine = await target.openMachine('vm');
    await machine.openDisk(0, SIZE);
    await machine.saveState('disk-0', Buffer.from('some'));
    const seen: string[] = [];
    storage.onOperation = (_operation, what) => seen.push(what);
    await machine.discardDisk(0);
    expect(seen.map((each) => each.split(' ').at(-1))).toEqual([
      'disk-0.state',
      '/out/vm.partial',
      'disk-0.journal',
      'disk-0.qcow2',
    ]);
    expect(await machine.hasDisk(0)).toBe(false);
  });

  test('a state is bounded when it is saved and when it is loaded', async () => {
    const storage = new LossyStorage();
    await using target = await open(storage);
    await using machine = await target.openMachine('vm');
    await expect(machine.saveState('disk-0', new Uint8Array(65_537))).rejects.toThrow(RangeError);
    await machine.saveState('disk-0', new Uint8Array(65_536));
    const file = await storage.openFolder('/out/vm.partial').openFile('disk-0.state');
    await file?.write(65_536, Buffer.from('x'));
    await expect(machine.loadState('disk-0')).rejects.toMatchObject({ code: 'CheckpointUnusable' });
  });
});
