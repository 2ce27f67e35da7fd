import { describe, expect, test } from 'vitest';
import { leafCount } from '../../domain/digest-layout.ts';
import type { EncodedRange } from '../../ports/disk-reader.ts';
import type { FileExtent, ImageFile } from '../../ports/image-file.ts';
import { decodeRanges, readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { randomBelow, randomBytes, seededRandom } from '../../testing/random.ts';
import { decodePiece } from '../decode-piece.ts';
import { countData, dataRuns, leafRuns } from './data-runs.ts';
import { openRaw } from './open-raw.ts';

const BLOCK = 65_536;
const MIB = 2 ** 20;
const LEAF = 4 * MIB;
const TIB = 2 ** 40;
const noFiles = async () => Promise.reject(new Error('raw names no files'));

/** A file that tells extents; `asked` counts those looked up. */
function fileWith(extents: readonly FileExtent[], bytes: Uint8Array): ImageFile & { asked: number } {
  const file = Object.assign(new MemoryImageFile(bytes), {
    asked: 0,
    async *dataExtents() {
      for (const extent of extents) {
        file.asked += 1;
        yield extent;
      }
    },
  });
  return file;
}

/** A file of any size that nobody reads. */
function hugeFile(sizeBytes: number, extents: readonly FileExtent[]): ImageFile {
  const { name, identity, expectedDigests } = new MemoryImageFile(new Uint8Array(0));
  const unread = async () => Promise.reject(new Error('the file is read'));
  return {
    ...{ name, identity, expectedDigests, sizeBytes, read: unread, readHead: unread, readIdentity: unread },
    stream: () => expect.fail('the file is read'),
    dataExtents: async function* () {
      yield* extents;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

const closedBy = (ranges: readonly EncodedRange[]) =>
  ranges.flatMap((range) =>
    (range.closesLeaves ?? []).flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at)),
  );

describe('dataRuns', () => {
  test.each<[string, [number, number][], [number, number][]]>([
    ['nothing', [], []],
    ['a byte', [[BLOCK + 1, 1]], [[BLOCK, 2 * BLOCK]]],
    ['an empty extent', [[BLOCK, 0]], []],
    [
      'two in one block',
      [
        [0, 10],
        [BLOCK - 1, 1],
      ],
      [[0, BLOCK]],
    ],
    [
      'two that touch as blocks',
      [
        [0, 10],
        [BLOCK + 5, 5],
      ],
      [[0, 2 * BLOCK]],
    ],
    [
      'two apart',
      [
        [0, 10],
        [3 * BLOCK, 5],
      ],
      [
        [0, BLOCK],
        [3 * BLOCK, 4 * BLOCK],
      ],
    ],
    ['the short last block', [[9 * BLOCK, 7]], [[9 * BLOCK, 9 * BLOCK + 77]]],
    ['more than the disk', [[8 * BLOCK, 90 * BLOCK]], [[8 * BLOCK, 9 * BLOCK + 77]]],
    ['beyond the disk', [[20 * BLOCK, 1]], []],
  ])('rounds outwards and joins: %s', async (_name, extents, expected) => {
    const size = 9 * BLOCK + 77;
    const file = hugeFile(
      size,
      extents.map(([offset, length]) => ({ offset, length })),
    );
    const runs = await collect(dataRuns(file, size));
    expect(runs.map(({ offset, end }) => [offset, end])).toEqual(expected);
  });

  test('is everything where the file tells nothing', async () => {
    const file = new MemoryImageFile(new Uint8Array(100));
    expect(await collect(dataRuns(file, 100))).toEqual([{ offset: 0, end: 100 }]);
    expect(await collect(dataRuns(file, 0))).toEqual([]);
  });

  test('counts up to a bound, and knows nothing of a file that only streams', async () => {
    const extents = [0, 2, 4].map((block) => ({ offset: block * BLOCK, length: 1 }));
    const file = hugeFile(TIB, extents);
    expect(await countData(file, TIB)).toEqual({ kind: 'exact', bytes: 3 * BLOCK });
    expect(await countData(file, TIB, { maxRuns: 2 })).toEqual({ kind: 'unknown' });
    expect(await countData(new MemoryImageFile(new Uint8Array(9)), 9)).toEqual({ kind: 'unknown' });
    const { read: _read, ...streamed } = file;
    expect(await countData(streamed, TIB)).toEqual({ kind: 'unknown' });
    await expect(countData(file, TIB, { signal: AbortSignal.abort() })).rejects.toThrow();
  });
});

describe('leafRuns', () => {
  test('joins what is wanted, in lists of at most 4096', () => {
    expect([...leafRuns(3, 9, (leaf) => leaf !== 5)]).toEqual([
      [
        { first: 3, count: 2 },
        { first: 6, count: 3 },
      ],
    ]);
    expect([...leafRuns(3, 3, () => true)]).toEqual([]);
    const lists = [...leafRuns(0, 20_000, (leaf) => leaf % 2 === 0)];
    expect(lists.map((list) => list.length)).toEqual([4096, 4096, 1808]);
  });
});

describe('openRaw over a file that tells its extents', () => {
  test.each([1, 2, 3, 4, 5, 6])('hands over the data and closes every leaf once, seed %i', async (seed) => {
    const random = seededRandom(seed);
    const size = 11 * LEAF + randomBelow(random, LEAF);
    const disk = Buffer.alloc(size);
    const extents: FileExtent[] = [];
    for (let at = randomBelow(random, 6 * MIB); at < size; ) {
      const length = Math.min(size - at, 4096 * (1 + randomBelow(random, seed % 2 === 0 ? 8 : 1500)));
      disk.set(randomBytes(random, length), at);
      extents.push({ offset: at, length });
      at += length + 4096 * (1 + randomBelow(random, 2500));
    }
    const reader = await openRaw({ main: fileWith(extents, disk), open: noFiles });
    expect(reader.allocation).toMatchObject({ kind: 'exact' });
    expect((await readWholeDisk(reader, decodePiece)).equals(disk)).toBe(true);
    const ranges = await collect(reader.ranges());
    expect(closedBy(ranges)).toEqual(Array.from({ length: leafCount(size) }, (_, leaf) => leaf));
    for (const { fileOffset, fileBytes } of ranges) {
      expect(fileBytes).toBeLessThanOrEqual(MIB);
      if (fileBytes > 0) expect(Math.floor(fileOffset / LEAF)).toBe(Math.floor((fileOffset + fileBytes - 1) / LEAF));
    }
    const wants = (leaf: number) => leaf % 3 === 1;
    const wanted = await collect(reader.ranges({ wants }));
    expect(closedBy(wanted)).toEqual(closedBy(ranges).filter(wants));
    const isWanted = ({ fileOffset, fileBytes }: EncodedRange) => fileBytes > 0 && wants(Math.floor(fileOffset / LEAF));
    expect(wanted.filter(({ fileBytes }) => fileBytes > 0).map(({ fileOffset }) => fileOffset)).toEqual(
      ranges.filter(isWanted).map(({ fileOffset }) => fileOffset),
    );
  });

  test('a sparse 8 TiB file is opened and ranged at once, without being read', async () => {
    const size = 8 * TIB;
    const ends = [5 * TIB + 3 * MIB, size - 4096].map((offset) => ({ offset, length: 4096 }));
    const started = performance.now();
    const reader = await openRaw({ main: hugeFile(size, ends), open: noFiles });
    expect(reader.allocation).toEqual({ kind: 'exact', bytes: 2 * BLOCK });
    const ranges = await collect(reader.ranges());
    expect(ranges.map(({ fileBytes, closesLeaves }) => [fileBytes, closesLeaves?.length])).toEqual([
      [0, 1],
      [BLOCK, 1],
      [BLOCK, 1],
    ]);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('a disk without data is one range that closes it, in bounded lists where few leaves are wanted', async () => {
    const reader = await openRaw({ main: hugeFile(64 * TIB, []), open: noFiles });
    expect(await collect(reader.ranges())).toMatchObject([
      { pieces: [], closesLeaves: [{ first: 0, count: 2 ** 24 }] },
    ]);
    const small = await openRaw({ main: hugeFile(20_000 * LEAF, []), open: noFiles });
    const lists = await collect(small.ranges({ wants: (leaf) => leaf % 2 === 0 }));
    expect(lists.map(({ closesLeaves }) => closesLeaves?.length)).toEqual([4096, 4096, 1808]);
    for await (const _part of decodeRanges(small, decodePiece)) void _part;
  });

  test('extents are looked up as ranges are asked for', async () => {
    const extents = Array.from({ length: 64 }, (_, at) => ({ offset: at * MIB, length: 10 }));
    const file = fileWith(extents, new Uint8Array(64 * MIB));
    const reader = await openRaw({ main: file, open: noFiles });
    expect(file.asked).toBe(64);
    for await (const _range of reader.ranges()) break;
    // The range, the one that tells what it closes, and one more to tell whether that goes on.
    expect(file.asked).toBe(64 + 3);
  });
});
