import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { leafCount } from '../../domain/digest-layout.ts';
import { nodeStorage } from '../../targets/dir/node-storage.ts';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { LossyStorage } from '../../testing/lossy-storage.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { MemoryStorageFile } from '../../testing/memory-storage.ts';
import { randomBelow, randomBytes, seededRandom } from '../../testing/random.ts';
import { decodePiece } from '../decode-piece.ts';
import { openLaneWriter } from '../lane-writer.ts';
import { planTables } from './image-tables.ts';
import type { Compression } from './journal-record.ts';
import { openQcow2 } from './open-qcow2.ts';
import { openQcow2Image } from './qcow2-image.ts';
import { openQcow2Writer } from './qcow2-writer.ts';

const BLOCK = 65_536;
const LEAF = 64 * BLOCK;
const NO_DIGEST = new Uint8Array(0);
const compressions: Compression[] = ['none', 'zstd'];

function open(virtualSizeBytes: number, compression: Compression = 'none') {
  const image = new MemoryStorageFile('disk.qcow2');
  const journal = new MemoryStorageFile('disk.journal');
  const start = () => openQcow2Writer({ image, journal, virtualSizeBytes, compression });
  return { image, journal, start };
}

async function readImage(bytes: Uint8Array): Promise<Buffer> {
  const main = new MemoryImageFile(bytes);
  return readWholeDisk(await openQcow2({ main, open: async () => Promise.reject(new Error('no files')) }), decodePiece);
}

describe.each(compressions)('openQcow2Writer with compression %s', (compression) => {
  test.each([1, 512, BLOCK, BLOCK + 1000, 9 * 2 ** 20 + 77])('writes a disk of %i bytes', async (size) => {
    const random = seededRandom(size);
    const { image, start } = open(size, compression);
    await using writer = await start();
    const disk = Buffer.alloc(size);
    for (let at = 0; at < size; at += 5 * BLOCK) {
      const part = disk.subarray(at, Math.min(at + 2 * BLOCK, size));
      part.set(randomBytes(random, Math.min(part.length, at % 3 === 0 ? 3000 : 2 * BLOCK)));
      await writer.write(at, part);
    }
    const seen = Buffer.alloc(size, 1);
    await writer.read(0, seen);
    expect(seen.equals(disk)).toBe(true);
    await writer.finish();
    await writer.read(0, seen.fill(1));
    expect(seen.equals(disk)).toBe(true);
    // qcow2 counts in sectors; what the last one has more is zero.
    const whole = Buffer.alloc(Math.ceil(size / 512) * 512);
    whole.set(disk);
    expect((await readImage(image.bytes)).equals(whole)).toBe(true);
    await using reader = await writer.openWritten();
    expect(reader).toMatchObject({ format: 'qcow2 v3', virtualSizeBytes: size });
    expect((await readWholeDisk(reader, decodePiece)).equals(disk)).toBe(true);
  });

  test('blocks that lanes wrote are there after a restart, and later writes leave them alone', async () => {
    const size = 3 * LEAF;
    const folder = await mkdtemp(join(tmpdir(), 'airlift-adopt-'));
    try {
      const storage = nodeStorage.openFolder(folder);
      const start = async () =>
        openQcow2Writer({
          image: await storage.openFile('image', { create: true }),
          journal: await storage.openFile('journal', { create: true }),
          virtualSizeBytes: size,
          compression,
        });
      const disk = Buffer.alloc(size);
      disk.set(randomBytes(seededRandom(4), 3 * BLOCK), LEAF);
      disk.fill('text', LEAF + 3 * BLOCK, LEAF + 6 * BLOCK);
      {
        await using writer = await start();
        if (writer.laneTarget === undefined) expect.fail('a real file has a target for lanes');
        using lane = openLaneWriter(writer.laneTarget, size);
        // A block that this thread writes, and then again, lies between those of the lane.
        const other = disk.subarray(LEAF + BLOCK, LEAF + 2 * BLOCK);
        writer.adoptPlaces?.(lane.write(LEAF, disk.subarray(LEAF, LEAF + BLOCK)));
        await writer.write(LEAF + BLOCK, Buffer.alloc(BLOCK, 9));
        writer.adoptPlaces?.(lane.write(LEAF + 2 * BLOCK, disk.subarray(LEAF + 2 * BLOCK, LEAF + 6 * BLOCK)));
        await writer.write(LEAF + BLOCK, other);
        writer.recordLeaf?.(1, NO_DIGEST);
        await writer.flush();
        lane.write(0, Buffer.alloc(BLOCK, 1)); // Never adopted, never recorded.
      }
      await using writer = await start();
      expect([0, 1, 2].map((leaf) => writer.hasLeaf?.(leaf))).toEqual([false, true, false]);
      if (writer.laneTarget === undefined) expect.fail('a real file has a target for lanes');
      using lane = openLaneWriter(writer.laneTarget, size);
      disk.fill('more', 2 * LEAF, 2 * LEAF + 2 * BLOCK);
      writer.adoptPlaces?.(lane.write(2 * LEAF, disk.subarray(2 * LEAF, 2 * LEAF + 2 * BLOCK)));
      const seen = Buffer.alloc(size);
      await writer.read(0, seen);
      expect(seen.equals(disk)).toBe(true);
      await writer.finish();
      await using reader = await writer.openWritten();
      expect((await readWholeDisk(reader, decodePiece)).equals(disk)).toBe(true);
      expect(() => writer.adoptPlaces?.([])).toThrow('finished');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('a damaged byte shows in what is opened afterwards', async () => {
    const { image, start } = open(LEAF, compression);
    await using writer = await start();
    await writer.write(0, Buffer.alloc(BLOCK, 'text'));
    await writer.finish();
    image.bytes[BLOCK + 8] = (image.bytes[BLOCK + 8] ?? 0) ^ 0x10;
    const content = writer.openWritten().then((reader) => readWholeDisk(reader, decodePiece));
    const seen = await content.then(
      (bytes) => bytes.subarray(0, BLOCK).equals(Buffer.alloc(BLOCK, 'text')),
      () => false,
    );
    expect(seen).toBe(false);
  });

  test('a durable leaf is not overwritten in place', async () => {
    const { image, start } = open(LEAF, compression);
    await using writer = await start();
    await writer.write(0, Buffer.alloc(BLOCK, 1));
    writer.recordLeaf?.(0, NO_DIGEST);
    await writer.flush();
    const before = Buffer.from(image.bytes);
    await writer.write(0, Buffer.alloc(BLOCK, 2));
    expect(image.bytes.subarray(0, before.length).equals(before)).toBe(true);
    const seen = Buffer.alloc(BLOCK);
    await writer.read(0, seen);
    expect(seen).toEqual(Buffer.alloc(BLOCK, 2));
  });

  test('after a restart recorded leaves are there, and others as if never written', async () => {
    const { start, journal } = open(3 * LEAF, compression);
    const first = await start();
    for (const leaf of [0, 1, 2]) await first.write(leaf * LEAF, Buffer.alloc(BLOCK, leaf + 1));
    first.recordLeaf?.(1, new Uint8Array(32).fill(7));
    await first.flush();
    const second = await start();
    expect([0, 1, 2].map((leaf) => second.hasLeaf?.(leaf))).toEqual([false, true, false]);
    const seen = Buffer.alloc(3 * LEAF, 9);
    await second.read(0, seen);
    const expected = Buffer.alloc(3 * LEAF);
    expected.fill(2, LEAF, LEAF + BLOCK);
    expect(seen.equals(expected)).toBe(true);
    journal.bytes = Buffer.concat([journal.bytes, Buffer.alloc(40, 0xee)]);
    expect((await start()).hasLeaf?.(1)).toBe(true);
  });
});

describe('the tables of a finished image', () => {
  // Reading back goes through L1 and L2 alone: an image with refcounts of 0 was called verified, and a guest would have overwritten its own data.
  test.each(['L2', 'L1', 'refcount table', 'refcount block'])(
    'a %s that storage did not take is found',
    async (what) => {
      const { image, start } = open(2 * LEAF);
      await using writer = await start();
      await writer.write(0, randomBytes(seededRandom(1), 4 * BLOCK));
      const plan = planTables(5, 1, 1);
      const places = [plan.l2Start, plan.l1Start, plan.refcountTableStart, plan.refcountBlockStart];
      const place = places[['L2', 'L1', 'refcount table', 'refcount block'].indexOf(what)] ?? 0;
      const sync = image.sync.bind(image);
      image.sync = async () => {
        if (image.bytes.length > place * BLOCK) image.bytes[place * BLOCK + 1] = 0x77;
        await sync();
      };
      await expect(writer.finish()).rejects.toMatchObject({ code: 'VerificationFailed' });
      // Without a header nobody takes it for a disk.
      await expect(readImage(image.bytes)).rejects.toThrow();
    },
  );
});

describe('openQcow2Writer', () => {
  test('overwrites in place what no record tells of, so that a block written twice takes no more space', async () => {
    const { image, start } = open(LEAF);
    const writer = await start();
    await writer.write(0, Buffer.alloc(BLOCK, 1));
    const size = image.bytes.length;
    await writer.write(0, Buffer.alloc(BLOCK, 2));
    expect(image.bytes.length).toBe(size);
  });

  test('lanes can write to a real file only, and share the counter of clusters', async () => {
    const { image, journal, start } = open(LEAF);
    expect((await start()).laneTarget).toBeUndefined();
    const real = Object.assign(image, { path: '/out/disk.qcow2' });
    const writer = await openQcow2Writer({ image: real, journal, virtualSizeBytes: LEAF, compression: 'none' });
    const target = writer.laneTarget;
    if (target === undefined || !('qcow2' in target)) expect.fail('a real file has a target for lanes');
    expect(target.qcow2).toMatchObject({ path: '/out/disk.qcow2', name: 'disk.qcow2', compression: 'none' });
    const counter = new BigInt64Array(target.qcow2.nextCluster);
    expect(counter[0]).toBe(1n);
    await writer.write(0, Buffer.alloc(3 * BLOCK, 1));
    expect(counter[0]).toBe(4n);
  });

  test('an unfinished image does not open, nor does a finished one that is written on', async () => {
    const { image, start } = open(LEAF);
    const writer = await start();
    await writer.write(0, Buffer.alloc(BLOCK, 1));
    await expect(openQcow2Image(image)).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    await writer.finish();
    expect((await openQcow2Image(image)).virtualSizeBytes).toBe(LEAF);
    await start();
    await expect(openQcow2Image(image)).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
  });

  test('a journal of another size or compression, or of a longer image, is refused', async () => {
    const { image, journal, start } = open(LEAF);
    const writer = await start();
    await writer.write(0, Buffer.alloc(BLOCK, 1));
    writer.recordLeaf?.(0, NO_DIGEST);
    await writer.flush();
    const unusable = { code: 'CheckpointUnusable' };
    const other = { image, journal, virtualSizeBytes: LEAF, compression: 'none' } as const;
    await expect(openQcow2Writer({ ...other, virtualSizeBytes: 2 * LEAF })).rejects.toMatchObject(unusable);
    await expect(openQcow2Writer({ ...other, compression: 'zstd' })).rejects.toMatchObject(unusable);
    image.bytes = image.bytes.subarray(0, BLOCK) as Buffer<ArrayBuffer>;
    await expect(start()).rejects.toMatchObject(unusable);
  });

  test('after a failed write what was recorded before is still made durable, and nothing is finished', async () => {
    const { image, start } = open(2 * LEAF);
    const writer = await start();
    await writer.write(0, Buffer.alloc(BLOCK, 1));
    writer.recordLeaf?.(0, NO_DIGEST);
    const failure = new Error('no space');
    const write = image.write.bind(image);
    image.write = async () => Promise.reject(failure);
    await expect(writer.write(LEAF, Buffer.alloc(BLOCK, 1))).rejects.toBe(failure);
    await writer.flush();
    await expect(writer.finish()).rejects.toBe(failure);
    image.write = write;
    const continued = await start();
    expect([continued.hasLeaf?.(0), continued.hasLeaf?.(1)]).toEqual([true, false]);
  });

  test('leaves whose record failed are recorded by the next flush', async () => {
    const { journal, start } = open(LEAF);
    const writer = await start();
    await writer.write(0, Buffer.alloc(BLOCK, 1));
    writer.recordLeaf?.(0, NO_DIGEST);
    const sync = journal.sync.bind(journal);
    journal.sync = async () => Promise.reject(new Error('later'));
    await expect(writer.flush()).rejects.toThrow('later');
    journal.sync = sync;
    await writer.flush();
    expect((await start()).hasLeaf?.(0)).toBe(true);
  });

  test('holes of a 64 TiB disk take one record', async () => {
    const { journal, start } = open(64 * 2 ** 40);
    const writer = await start();
    const digest = new Uint8Array(32);
    for (let leaf = 0; leaf < leafCount(64 * 2 ** 40); leaf += 1) writer.recordLeaf?.(leaf, digest);
    await writer.flush();
    expect(journal.bytes.length).toBeLessThan(100);
  });

  test('refcount blocks cover themselves', () => {
    for (const dataEnd of [1, 32_765, 32_766, 32_767, 32_768, 2 ** 28]) {
      const plan = planTables(dataEnd, 1, 1);
      expect(plan.refcountBlocks * 32_768).toBeGreaterThanOrEqual(plan.endCluster);
      expect((plan.refcountBlocks - 1) * 32_768).toBeLessThan(plan.endCluster);
      expect(plan.refcountTableClusters * 8192).toBeGreaterThanOrEqual(plan.refcountBlocks);
    }
  });
});

class PowerCut extends Error {}

/**
 * Random writes, records and flushes against a plain buffer, with the power cut at any change of a file. What a flush made durable must read right after every
 * restart; what it did not is written again, as the engine does.
 */
async function survive(seed: number, compression: Compression): Promise<{ cuts: number; kept: number }> {
  const random = seededRandom(seed);
  const size = 5 * LEAF - 40_000;
  const storage = new LossyStorage();
  await storage.makeFolder('/m');
  const folder = storage.openFolder('/m');
  for (const name of ['i', 'j']) await folder.openFile(name, { create: true });
  await folder.sync();
  const openWriter = async () => {
    const image = await folder.openFile('i', { create: true });
    const journal = await folder.openFile('j', { create: true });
    return openQcow2Writer({ image, journal, virtualSizeBytes: size, compression });
  };
  const leaves = leafCount(size);
  /** Per leaf: content after each flush that may have recorded it; the last certain one and those after it. */
  const versions = Array.from({ length: leaves }, () => [] as Buffer[]);
  const isCertain = new Uint8Array(leaves);
  let disk = Buffer.alloc(size);
  let cuts = 0;
  let kept = 0;
  const leafOfDisk = (leaf: number) => Buffer.from(disk.subarray(leaf * LEAF, (leaf + 1) * LEAF));

  while (true) {
    let left = cuts < 6 ? 3 + randomBelow(random, 45) : Number.POSITIVE_INFINITY;
    storage.onOperation = () => {
      left -= 1;
      if (left < 0) throw new PowerCut();
    };
    try {
      const writer = await openWriter();
      disk = Buffer.alloc(size);
      for (let leaf = 0; leaf < leaves; leaf += 1) {
        if (!writer.hasLeaf?.(leaf)) {
          expect(isCertain[leaf], `leaf ${leaf} was durable`).toBe(0);
          versions[leaf] = [];
          continue;
        }
        const seen = Buffer.alloc(Math.min(LEAF, size - leaf * LEAF));
        await writer.read(leaf * LEAF, seen);
        expect(
          versions[leaf]?.some((version) => version.equals(seen)),
          `leaf ${leaf} reads right`,
        ).toBe(true);
        versions[leaf] = [seen];
        isCertain[leaf] = 1;
        disk.set(seen, leaf * LEAF);
        kept += 1;
      }
      for (let round = 0; round < 12; round += 1) {
        const touched = new Set<number>();
        for (let writes = 1 + randomBelow(random, 4); writes > 0; writes -= 1) {
          const at = randomBelow(random, Math.ceil(size / BLOCK)) * BLOCK;
          const part = disk.subarray(at, Math.min(at + BLOCK * (1 + randomBelow(random, 5)), size));
          part.fill(randomBelow(random, 256));
          if (random() < 0.3) part.set(randomBytes(random, Math.min(part.length, BLOCK)));
          await writer.write(at, part);
          for (let leaf = Math.floor(at / LEAF); leaf * LEAF < at + part.length; leaf += 1) touched.add(leaf);
        }
        const recorded = random() < 0.7 ? [...touched] : [];
        for (const leaf of recorded) writer.recordLeaf?.(leaf, NO_DIGEST);
        if (round % 2 === 0 || recorded.length > 0) {
          for (const leaf of recorded) versions[leaf]?.push(leafOfDisk(leaf));
          await writer.flush();
          for (const leaf of recorded) {
            versions[leaf] = [leafOfDisk(leaf)];
            isCertain[leaf] = 1;
          }
        }
      }
      await writer.finish();
      await writer.finish();
      const whole = Buffer.alloc(Math.ceil(size / 512) * 512);
      whole.set(disk);
      expect((await readImage(storage.readWhole('/m/i') ?? Buffer.alloc(0))).equals(whole)).toBe(true);
      return { cuts, kept };
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      cuts += 1;
      storage.onOperation = () => {};
      storage.crash(random);
      const left = storage.readWhole('/m/i') ?? Buffer.alloc(0);
      // Whatever opens as a qcow2 was finished: it reads without a problem from end to end.
      if (left.subarray(0, 4).equals(Buffer.from('QFI\xfb', 'latin1'))) await readImage(left);
    }
  }
}

describe.each(compressions)('power cuts, compression %s', (compression) => {
  test('durable leaves survive in any order of lost writes, and the finished disk is right', async () => {
    let cuts = 0;
    let kept = 0;
    for (let seed = 1; seed <= Number(process.env.AIRLIFT_CRASH_SEEDS ?? 3); seed += 1) {
      const result = await survive(seed, compression);
      cuts += result.cuts;
      kept += result.kept;
    }
    console.info('power cuts', compression, { cuts, kept });
    expect(cuts).toBeGreaterThan(0);
    expect(kept).toBeGreaterThan(0);
  });
});

describe.each(compressions)('a power cut inside finish, compression %s', (compression) => {
  test('at any operation: the file opens only when it is whole, and finishing again gives the right disk', async () => {
    const size = 2 * LEAF;
    const random = seededRandom(8);
    const disk = Buffer.alloc(size);
    disk.set(randomBytes(random, 3 * BLOCK), BLOCK);
    disk.fill('text', LEAF, LEAF + 2 * BLOCK);
    const storage = new LossyStorage();
    let finished = 0;
    let opened = 0;
    for (let round = 0; round < 60; round += 1) {
      const path = `/m${round}`;
      await storage.makeFolder(path);
      const folder = storage.openFolder(path);
      for (const name of ['i', 'j']) await folder.openFile(name, { create: true });
      await folder.sync();
      const openWriter = async () => {
        const image = await folder.openFile('i', { create: true });
        const journal = await folder.openFile('j', { create: true });
        return openQcow2Writer({ image, journal, virtualSizeBytes: size, compression });
      };
      const first = await openWriter();
      await first.write(BLOCK, disk.subarray(BLOCK, 4 * BLOCK));
      await first.write(LEAF, disk.subarray(LEAF, LEAF + 2 * BLOCK));
      for (const leaf of [0, 1]) first.recordLeaf?.(leaf, NO_DIGEST);
      await first.flush();

      let left = round % 10;
      storage.onOperation = () => {
        left -= 1;
        if (left < 0) throw new PowerCut();
      };
      const isFinished = await first.finish().then(
        () => true,
        (error: unknown) => {
          if (error instanceof PowerCut) return false;
          throw error;
        },
      );
      storage.onOperation = () => {};
      storage.crash(random);
      const after = storage.readWhole(`${path}/i`) ?? Buffer.alloc(0);
      const opens = after.subarray(0, 4).equals(Buffer.from('QFI\xfb', 'latin1'));
      if (isFinished) expect(opens).toBe(true);
      if (opens) expect((await readImage(after)).equals(disk)).toBe(true);
      finished += isFinished ? 1 : 0;
      opened += opens ? 1 : 0;

      const second = await openWriter();
      expect([0, 1].map((leaf) => second.hasLeaf?.(leaf))).toEqual([true, true]);
      await second.write(0, Buffer.alloc(BLOCK, 9));
      storage.crash(random);
      // New data may lie where the tables were, and cutting the file there may have been lost.
      const begunAgain = storage.readWhole(`${path}/i`) ?? Buffer.alloc(0);
      expect(begunAgain.subarray(0, 4)).not.toEqual(Buffer.from('QFI\xfb', 'latin1'));
      const third = await openWriter();
      await third.finish();
      const whole = storage.readWhole(`${path}/i`) ?? Buffer.alloc(0);
      expect((await readImage(whole)).equals(disk)).toBe(true);
      await storage.removeFolder(path);
    }
    // Some were finished, and some had a header that survived although finish did not return.
    expect(finished).toBeGreaterThan(0);
    expect(opened).toBeGreaterThan(finished);
  });
});
