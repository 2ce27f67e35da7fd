import { describe, expect, test } from 'vitest';
import { LossyStorage } from './lossy-storage.ts';
import { seededRandom } from './random.ts';

const SECTOR = 512;

/** What a file may hold after a crash, over many crashes of the same history. */
async function outcomes(
  history: (storage: LossyStorage) => Promise<void>,
  look: (storage: LossyStorage) => unknown,
  crashes = 300,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let seed = 1; seed <= crashes; seed += 1) {
    const storage = new LossyStorage();
    await storage.makeFolder('/d');
    await history(storage);
    storage.crash(seededRandom(seed));
    seen.add(JSON.stringify(await look(storage)));
  }
  return seen;
}

async function openDurable(storage: LossyStorage, name: string) {
  const folder = storage.openFolder('/d');
  const file = await folder.openFile(name, { create: true });
  await folder.sync();
  return file;
}

/** One character per sector: what it was filled with, or `.` for zeroes. */
function sectors(storage: LossyStorage, path: string): string {
  const bytes = storage.readWhole(path) ?? Buffer.alloc(0);
  const letters: string[] = [];
  for (let at = 0; at < bytes.length; at += SECTOR) {
    const part = new Set(bytes.subarray(at, at + SECTOR));
    expect(part.size).toBe(1); // torn between sectors, never inside one
    letters.push(String.fromCharCode([...part][0] || 46));
  }
  return letters.join('');
}

describe('LossyStorage', () => {
  test('without a crash it is a file system like any other', async () => {
    const storage = new LossyStorage();
    expect(await storage.makeFolder('/d/e')).toBe('/d');
    await using file = await storage.openFolder('/d/e').openFile('f', { create: true });
    await file.write(65_530, Buffer.from('across pages'));
    expect(await file.sizeBytes()).toBe(65_542);
    const into = Buffer.alloc(20);
    expect(await file.read(65_528, into)).toBe(14);
    expect(into.toString('latin1', 0, 14)).toBe('\0\0across pages');
    await file.truncate(65_532);
    await file.truncate(65_540);
    expect(await file.read(65_528, into)).toBe(12);
    expect(into.toString('latin1', 0, 12)).toBe('\0\0ac\0\0\0\0\0\0\0\0');
  });

  test('a file of many gigabytes takes up only what was written', async () => {
    const storage = new LossyStorage();
    await storage.makeFolder('/d');
    const file = await openDurable(storage, 'f');
    await file.truncate(8 * 2 ** 30);
    await file.write(7 * 2 ** 30, Buffer.alloc(10, 1));
    await file.sync();
    expect(await file.allocatedBytes()).toBe(65_536);
  });

  test('what was flushed is always there', async () => {
    const seen = await outcomes(
      async (storage) => {
        const file = await openDurable(storage, 'f');
        await file.write(0, Buffer.alloc(2 * SECTOR, 'a'));
        await file.sync();
      },
      (storage) => sectors(storage, '/d/f'),
    );
    expect(seen).toEqual(new Set(['"aa"']));
  });

  test('each write after the last flush is kept, torn at a sector or lost, whatever became of those before it', async () => {
    const seen = await outcomes(
      async (storage) => {
        const file = await openDurable(storage, 'f');
        await file.write(0, Buffer.alloc(4 * SECTOR, 'o'));
        await file.sync();
        await file.write(0, Buffer.alloc(2 * SECTOR, 'a'));
        await file.write(2 * SECTOR, Buffer.alloc(2 * SECTOR, 'b'));
      },
      (storage) => sectors(storage, '/d/f'),
    );
    for (const expected of ['oooo', 'aaoo', 'oobb', 'aabb', 'aooo', 'oabb']) expect(seen).toContain(`"${expected}"`);
  });

  test('of two writes to one place the earlier may win', async () => {
    const seen = await outcomes(
      async (storage) => {
        const file = await openDurable(storage, 'f');
        await file.write(0, Buffer.alloc(SECTOR, 'a'));
        await file.write(0, Buffer.alloc(SECTOR, 'b'));
      },
      (storage) => sectors(storage, '/d/f'),
    );
    expect(seen).toEqual(new Set(['""', '"a"', '"b"']));
  });

  test('names are lost until their folder is flushed, though the file was', async () => {
    const seen = await outcomes(
      async (storage) => {
        const file = await storage.openFolder('/d').openFile('f', { create: true });
        await file.write(0, Buffer.alloc(SECTOR, 'a'));
        await file.sync();
      },
      (storage) => storage.openFolder('/d').listFiles(),
    );
    expect(seen).toEqual(new Set(['[]', '["f"]']));
  });

  test('a later change of names may survive an earlier one', async () => {
    const seen = await outcomes(
      async (storage) => {
        for (const name of ['x', 'y']) await storage.openFolder('/d').openFile(name, { create: true });
      },
      (storage) => storage.openFolder('/d').listFiles(),
    );
    expect(seen).toEqual(new Set(['[]', '["x"]', '["y"]', '["x","y"]']));
  });

  test('a removal may be undone until its folder is flushed', async () => {
    const remove = async (storage: LossyStorage) => {
      await openDurable(storage, 'f');
      await storage.openFolder('/d').removeFile('f');
    };
    const look = (storage: LossyStorage) => storage.openFolder('/d').listFiles();
    expect(await outcomes(remove, look)).toEqual(new Set(['[]', '["f"]']));
    const removeDurably = async (storage: LossyStorage) => {
      await remove(storage);
      await storage.openFolder('/d').sync();
    };
    expect(await outcomes(removeDurably, look)).toEqual(new Set(['[]']));
  });

  test('a file replaced as a whole is old or new at whichever operation the power is cut', async () => {
    const seen = new Set<string>();
    for (let cut = 1; cut <= 5; cut += 1) {
      const found = await outcomes(
        async (storage) => {
          const folder = storage.openFolder('/d');
          await folder.replaceFile('f', Buffer.from('old'));
          const start = storage.operations;
          storage.onOperation = (operation) => {
            if (operation === start + cut) throw new Error('cut');
          };
          await expect(folder.replaceFile('f', Buffer.from('new'))).rejects.toThrow('cut');
          storage.onOperation = () => {};
        },
        (storage) => storage.readWhole('/d/f')?.toString(),
        40,
      );
      for (const each of found) seen.add(each);
    }
    expect(seen).toEqual(new Set(['"old"', '"new"']));
  });

  test('a kill keeps every write, frees locks and closes files', async () => {
    const storage = new LossyStorage();
    await storage.makeFolder('/d');
    await storage.lockFolder('/d');
    const file = await storage.openFolder('/d').openFile('f', { create: true });
    await file.write(0, Buffer.from('not flushed'));
    storage.kill();
    expect(storage.readWhole('/d/f')?.toString()).toBe('not flushed');
    await using _lock = await storage.lockFolder('/d');
    await expect(file.write(0, Buffer.from('late'))).rejects.toThrow('opened by a process that is gone');
    await expect(file.sync()).rejects.toThrow('opened by a process that is gone');
  });

  test('an operation of choice can fail, and space can run out', async () => {
    const storage = new LossyStorage();
    await storage.makeFolder('/d');
    const file = await openDurable(storage, 'f');
    const seen: string[] = [];
    storage.onOperation = (operation, what) => {
      seen.push(what);
      if (operation === storage.operations && what.startsWith('sync')) throw new Error('EIO');
    };
    await file.write(0, Buffer.alloc(8));
    await expect(file.sync()).rejects.toThrow('EIO');
    expect(seen).toEqual(['write /d/f', 'sync /d/f']);
    storage.onOperation = () => {};
    storage.freeSpaceBytes = 10;
    await file.write(0, Buffer.alloc(10));
    await expect(file.write(10, Buffer.alloc(1))).rejects.toMatchObject({ code: 'TargetFull' });
  });

  test('space comes back with what is removed or replaced, and a write that finds none takes none', async () => {
    const storage = new LossyStorage();
    await storage.makeFolder('/out/deep');
    const folder = storage.openFolder('/out/deep');
    storage.freeSpaceBytes = 1000;
    const file = await folder.openFile('file', { create: true });
    await file.write(0, Buffer.alloc(400));
    await folder.replaceFile('state', Buffer.alloc(500));
    expect(storage.freeSpaceBytes).toBe(100);
    await expect(file.write(0, Buffer.alloc(101))).rejects.toMatchObject({ code: 'TargetFull' });
    await expect(folder.replaceFile('state', Buffer.alloc(200))).rejects.toMatchObject({ code: 'TargetFull' });
    expect([storage.freeSpaceBytes, await folder.listFiles()]).toEqual([100, ['file', 'state']]);
    await folder.replaceFile('state', Buffer.alloc(20));
    expect(storage.freeSpaceBytes).toBe(580);
    await folder.removeFile('file');
    expect(storage.freeSpaceBytes).toBe(980);
    await storage.removeFolder('/out');
    expect(storage.freeSpaceBytes).toBe(1000);
  });
});
