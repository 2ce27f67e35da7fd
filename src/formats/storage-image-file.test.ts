import { describe, expect, test } from 'vitest';
import { collect } from '../testing/collect.ts';
import { MemoryStorageFile } from '../testing/memory-storage.ts';
import { randomBytes, seededRandom } from '../testing/random.ts';
import { storageImageFile } from './storage-image-file.ts';

const content = randomBytes(seededRandom(3), 600_000);

describe('storageImageFile', () => {
  test('reads anywhere, in order, and the head', async () => {
    const image = await storageImageFile(new MemoryStorageFile('disk.raw', content));
    expect(image).toMatchObject({ name: 'disk.raw', sizeBytes: 600_000, expectedDigests: [] });
    expect(Buffer.compare((await image.read?.(500_000, 100_000)) ?? Buffer.alloc(0), content.subarray(500_000))).toBe(
      0,
    );
    expect(Buffer.compare(await image.readHead(), content.subarray(0, 65_536))).toBe(0);
    const seen: number[] = [];
    const pieces = await collect(image.stream({ from: 100, to: 599_999, observe: (offset) => seen.push(offset) }));
    expect(Buffer.concat(pieces).equals(Buffer.from(content.subarray(100, 599_999)))).toBe(true);
    expect(seen).toEqual([100, 100 + 256 * 1024, 100 + 512 * 1024]);
  });

  test('a file that became shorter is named, and has another identity', async () => {
    const file = new MemoryStorageFile('disk.raw', content);
    const image = await storageImageFile(file);
    expect(await image.readIdentity()).toBe(image.identity);
    await file.truncate(1000);
    await expect(image.read?.(900, 200)).rejects.toMatchObject({
      code: 'DiskImageTruncated',
      message: 'disk.raw ends at byte 1000; 200 bytes were expected from byte 900',
    });
    expect(await image.readIdentity()).not.toBe(image.identity);
  });

  test('lanes may open a real file and then read past the cache; one in memory stays here', async () => {
    const real = Object.assign(new MemoryStorageFile('disk.raw', content), { path: '/out/disk.raw' });
    const file = { path: '/out/disk.raw', offset: 0, sizeBytes: 600_000, uncached: true };
    expect((await storageImageFile(real)).origin).toEqual({ file });
    expect((await storageImageFile(new MemoryStorageFile())).origin).toBeUndefined();
  });

  test.each([false, true])('closes the file only when it owns it: %s', async (ownsFile) => {
    const file = new MemoryStorageFile();
    let closed = 0;
    file[Symbol.asyncDispose] = async () => {
      closed += 1;
    };
    await (await storageImageFile(file, { ownsFile }))[Symbol.asyncDispose]();
    expect(closed).toBe(ownsFile ? 1 : 0);
  });

  test('tells extents where the file does, and stops when told', async () => {
    const file = Object.assign(new MemoryStorageFile('disk.raw', content), {
      async *dataExtents() {
        yield { offset: 4096, length: 10 };
      },
    });
    const image = await storageImageFile(file);
    if (image.dataExtents === undefined) expect.fail('the file tells extents');
    expect(await collect(image.dataExtents())).toEqual([{ offset: 4096, length: 10 }]);
    expect((await storageImageFile(new MemoryStorageFile())).dataExtents).toBeUndefined();
    const signal = AbortSignal.abort();
    await expect(image.read?.(0, 1, { signal })).rejects.toThrow();
    await expect(collect(image.stream({ signal }))).rejects.toThrow();
  });
});
