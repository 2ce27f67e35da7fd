import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRaw } from '../../formats/raw/open-raw.ts';
import type { FileExtent, ImageFile } from '../../ports/image-file.ts';
import { collect } from '../../testing/collect.ts';
import { LocalFile } from './local-file.ts';
import type { RangedFile } from './ranged-file.ts';
import { RegionImageFile } from './region-image-file.ts';

const MIB = 2 ** 20;

function rangedFile(extents: readonly FileExtent[] | undefined): RangedFile {
  const unread = () => expect.fail('the file is read');
  const file = {
    name: 'disks.ova',
    sizeBytes: 10_000,
    identity: 'it',
    readIdentity: unread,
    read: unread,
    stream: unread,
  };
  const dispose = { [Symbol.asyncDispose]: async () => {} };
  if (extents === undefined) return { ...file, ...dispose };
  const dataExtents = async function* () {
    yield* extents;
  };
  return { ...file, ...dispose, dataExtents };
}

const extentsOf = (file: ImageFile) =>
  file.dataExtents === undefined ? expect.fail('the file tells extents') : collect(file.dataExtents());

describe('data extents of a member', () => {
  test.each<[string, [number, number], [number, number][]]>([
    [
      'the whole file',
      [0, 10_000],
      [
        [1000, 2000],
        [5000, 1000],
      ],
    ],
    ['the midst of one extent', [1500, 500], [[0, 500]]],
    [
      'parts of both',
      [2000, 3500],
      [
        [0, 1000],
        [3000, 500],
      ],
    ],
    ['a hole', [3000, 2000], []],
    ['behind all data', [6000, 4000], []],
    ['nothing', [1500, 0], []],
  ])('are clipped to it and counted from its beginning: %s', async (_name, [offset, sizeBytes], expected) => {
    const file = rangedFile([
      { offset: 1000, length: 2000 },
      { offset: 5000, length: 1000 },
    ]);
    const region = new RegionImageFile(file, { name: 'disk.raw', offset, sizeBytes });
    expect((await extentsOf(region)).map((each) => [each.offset, each.length])).toEqual(expected);
  });

  test('are absent where the file knows none', () => {
    expect(new RegionImageFile(rangedFile(undefined), { name: 'disk.raw' }).dataExtents).toBeUndefined();
  });
});

describe('data extents of a local file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'airlift-data-extents-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('cover its data, also through a member of it', async () => {
    const path = join(folder, 'disk.raw');
    await writeFile(path, '');
    await truncate(path, 9 * MIB);
    {
      await using handle = await open(path, 'r+');
      await handle.write(Buffer.alloc(MIB, 1), 0, MIB, 4 * MIB);
      await handle.sync();
    }
    await using file = await LocalFile.open(path);
    const region = new RegionImageFile(file, { name: 'disk.raw', offset: 3 * MIB, sizeBytes: 4 * MIB });
    const covers = ({ offset, length }: FileExtent) => offset <= MIB && offset + length >= 2 * MIB;
    expect((await extentsOf(region)).some(covers)).toBe(true);
    expect((await extentsOf(new RegionImageFile(file, { name: 'disk.raw' }))).length).toBeGreaterThan(0);
  });

  test('make a sparse disk of 8 TiB open at once', async () => {
    const path = join(folder, 'huge.raw');
    await writeFile(path, '');
    await truncate(path, 8 * 2 ** 40);
    const file = await LocalFile.open(path);
    const main = new RegionImageFile(file, { name: 'huge.raw', ownsFile: true });
    await using reader = await openRaw({ main, open: () => expect.fail('raw names no files') });
    expect(reader.allocation).toEqual({ kind: 'exact', bytes: 0 });
    expect(await collect(reader.ranges())).toMatchObject([{ fileBytes: 0, closesLeaves: [{ first: 0 }] }]);
  });
});
