import { describe, expect, test } from 'vitest';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { randomBelow, seededRandom } from '../../testing/random.ts';
import { AllocatedClusters } from './allocated-clusters.ts';
import { openQcow2 } from './open-qcow2.ts';
import { VirtualLayout } from './virtual-layout.ts';
import { type ReadRangeOptions, VirtualQcow2 } from './virtual-qcow2.ts';

const CLUSTER = 65_536;
const LEAF = 4 * 2 ** 20;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

/** A disk in memory with data in the given clusters, and its virtual qcow2. */
function build(size: number, clusters: readonly number[], seed = 1) {
  const random = seededRandom(seed);
  const disk = Buffer.alloc(size);
  const allocated = new AllocatedClusters(size);
  for (const cluster of clusters) {
    const part = disk.subarray(cluster * CLUSTER, (cluster + 1) * CLUSTER);
    part.fill(1 + randomBelow(random, 255));
    part.writeUInt32LE(cluster, 0);
    allocated.add(cluster * CLUSTER, part.length);
  }
  const reads: { readonly offset: number; readonly length: number }[] = [];
  const image = new VirtualQcow2(allocated, async (offset, length) => {
    reads.push({ offset, length });
    return Buffer.from(disk.subarray(offset, offset + length));
  });
  return { disk, image, reads };
}

async function bytesOf(
  image: VirtualQcow2,
  from = 0,
  to = image.fileBytes,
  options?: ReadRangeOptions,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of image.read(from, to, options)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** What our own reader makes of the file. */
async function contentOf(file: Uint8Array, size: number): Promise<Buffer> {
  const main = new MemoryImageFile(Buffer.from(file), {});
  await using reader = await openQcow2({ main, open: () => Promise.reject(new Error('names no files')) });
  const content = Buffer.alloc(reader.virtualSizeBytes);
  for await (const { pieces } of reader.ranges())
    for (const { offset, fileOffset, length } of pieces)
      content.set(file.subarray(fileOffset, fileOffset + length), offset);
  expect(content.subarray(size).every((byte) => byte === 0)).toBe(true);
  return content.subarray(0, size);
}

const everySecond = (size: number) => [...Array(Math.ceil(size / CLUSTER)).keys()].filter((each) => each % 2 === 0);
const all = (size: number) => [...Array(Math.ceil(size / CLUSTER)).keys()];

describe('the bytes of a virtual qcow2', () => {
  const cases: readonly [what: string, size: number, clusters: (size: number) => number[]][] = [
    ['no bytes at all', 0, all],
    ['one sector', 512, all],
    ['less than a sector', 77, all],
    ['one hole', MIB, () => []],
    ['all data', 9 * MIB, all],
    ['a last cluster that ends inside a sector', 9 * MIB + 1000, all],
    ['a hole at an odd end', 9 * MIB + 1000, () => [0, 7]],
    ['data and holes in turn', 9 * MIB + 512, everySecond],
  ];
  test.each(cases)('%s', async (_, size, clusters) => {
    const { disk, image } = build(size, clusters(size));
    const file = await bytesOf(image);
    expect(file).toHaveLength(image.fileBytes);
    expect(image.fileBytes % CLUSTER).toBe(0);
    expect((await contentOf(file, size)).equals(disk)).toBe(true);
  });

  test('holes cost nothing but the tables of what is there', () => {
    const { image, reads } = build(600 * MIB, [3]);
    // Header, refcount table, one refcount block, L1, one L2 table, one cluster of data.
    expect(image.fileBytes).toBe(6 * CLUSTER);
    expect(reads).toEqual([]);
  });

  test('any range is the same part of the whole, whatever its bounds', async () => {
    const size = 9 * MIB + 1000;
    const { image } = build(size, everySecond(size));
    const file = await bytesOf(image);
    const random = seededRandom(7);
    const edges = [0, 1, 511, 512, 65_535, 65_536, 65_537, image.layout.dataStart - 1, image.layout.dataStart + 1];
    const ends = [...edges, file.length - 1, file.length];
    const pairs = ends.flatMap((from) => ends.filter((to) => to >= from).map((to) => [from, to] as const));
    for (let tries = 0; tries < 100; tries += 1) {
      const from = randomBelow(random, file.length + 1);
      pairs.push([from, from + randomBelow(random, file.length + 1 - from)]);
    }
    for (const [from, to] of pairs)
      expect((await bytesOf(image, from, to)).equals(file.subarray(from, to)), `${from} to ${to}`).toBe(true);
  });

  test('ranges that are read at once do not disturb each other', async () => {
    const size = 20 * MIB;
    const { image } = build(size, everySecond(size));
    const file = await bytesOf(image);
    const random = seededRandom(9);
    const ranges = Array.from({ length: 24 }, () => {
      const from = randomBelow(random, file.length);
      return [from, from + randomBelow(random, file.length - from)] as const;
    });
    const read = await Promise.all(ranges.map(([from, to]) => bytesOf(image, from, to)));
    for (const [at, [from, to]] of ranges.entries()) expect(read[at]?.equals(file.subarray(from, to))).toBe(true);
  });

  test('random disks are what our reader finds in them', async () => {
    for (let seed = 1; seed <= 25; seed += 1) {
      const random = seededRandom(seed);
      const size = randomBelow(random, 40 * MIB);
      const density = random();
      const { disk, image } = build(
        size,
        all(size).filter(() => random() < density),
        seed,
      );
      expect((await contentOf(await bytesOf(image), size)).equals(disk), `seed ${seed}`).toBe(true);
    }
  });

  test('the disk is read in its own order, in runs that stay within a leaf', async () => {
    const { image, reads } = build(20 * MIB, all(20 * MIB));
    await bytesOf(image);
    expect(reads).toEqual(Array.from({ length: 5 }, (_, leaf) => ({ offset: leaf * LEAF, length: LEAF })));
  });

  test('what is needed next is announced before, each run once', async () => {
    const { image, reads } = build(40 * MIB, all(40 * MIB));
    const announced: number[] = [];
    const before: number[] = [];
    const onAhead = (offset: number) => void announced.push(offset);
    for await (const _part of image.read(0, image.fileBytes, { onAhead })) before.push(announced.length - reads.length);
    expect(announced).toEqual(reads.map(({ offset }) => offset));
    expect(Math.max(...before)).toBeLessThanOrEqual(5);
    expect(Math.min(...before.slice(5, -6))).toBeGreaterThanOrEqual(4);
  });

  test('nothing is read of the disk for the tables, nor after the reader has stopped', async () => {
    const { image, reads } = build(40 * MIB, all(40 * MIB));
    await bytesOf(image, 0, image.layout.dataStart);
    expect(reads).toEqual([]);
    for await (const _part of image.read(image.layout.dataStart, image.fileBytes)) break;
    expect(reads).toHaveLength(1);
  });

  test('an aborted range ends with the reason', async () => {
    const { image } = build(20 * MIB, all(20 * MIB));
    const controller = new AbortController();
    const reading = async () => {
      for await (const _part of image.read(0, image.fileBytes, { signal: controller.signal }))
        controller.abort(new Error('the downloader went away'));
    };
    await expect(reading()).rejects.toThrow('the downloader went away');
  });

  test.each([
    [-1, 5],
    [5, 4],
    [0, 10 * CLUSTER],
  ])('bytes %i to %i leave the file', async (from, to) => {
    const { image } = build(MIB, [1]);
    await expect(bytesOf(image, from, to)).rejects.toThrow(RangeError);
  });
});

describe('the layout of large disks', () => {
  test('a TiB with data here and there takes the tables of those parts alone', () => {
    const allocated = new AllocatedClusters(TIB);
    for (let at = 0; at < TIB; at += 64 * GIB) allocated.add(at, 1);
    const layout = new VirtualLayout(allocated);
    expect(layout.dataClusters).toBe(16);
    expect(layout.fileBytes).toBe((1 + 1 + 1 + 1 + 16 + 16) * CLUSTER);
    const guests = Array.from({ length: 16 }, (_, at) => layout.clusterAt(layout.dataStart / CLUSTER + at));
    expect(guests).toEqual(
      Array.from({ length: 16 }, (_, at) => ({ kind: 'data', guestCluster: (at * 64 * GIB) / CLUSTER })),
    );
  });

  test('a TiB of data is laid out in a few MiB of memory', () => {
    const before = process.memoryUsage();
    const allocated = new AllocatedClusters(TIB);
    allocated.add(0, TIB);
    const layout = new VirtualLayout(allocated);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8 * MIB);
    expect(layout.dataClusters).toBe(TIB / CLUSTER);
    // 513 refcount blocks count themselves as well.
    const last = layout.fileBytes / CLUSTER - 1;
    expect(layout.clusterAt(last)).toEqual({ kind: 'data', guestCluster: TIB / CLUSTER - 1 });
    expect(layout.clusterAt(layout.dataStart / CLUSTER)).toEqual({ kind: 'data', guestCluster: 0 });
  });

  test('the same allocation gives the same file, in whatever order it was told', async () => {
    const clusters = [1, 5, 6, 7, 100, 9000];
    const [one, other] = [build(600 * MIB, clusters), build(600 * MIB, clusters.toReversed())];
    expect(
      (await bytesOf(one.image, 0, one.image.layout.dataStart)).equals(
        await bytesOf(other.image, 0, other.image.layout.dataStart),
      ),
    ).toBe(true);
  });

  test('a cluster that the file has not', () => {
    const layout = new VirtualLayout(new AllocatedClusters(MIB));
    expect(() => layout.clusterAt(layout.fileBytes / CLUSTER)).toThrow(RangeError);
    expect(() => layout.clusterAt(-1)).toThrow(RangeError);
  });
});
