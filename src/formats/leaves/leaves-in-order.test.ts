import { describe, expect, test } from 'vitest';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { buildSyntheticDisk, decodeSynthetic, syntheticReader } from '../../testing/synthetic-disk.ts';
import { leavesInOrder, refuseOneShot } from './leaves-in-order.ts';

const MIB = 2 ** 20;

async function bytesOf(leaves: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const leaf of leaves) parts.push(Buffer.from(leaf));
  return Buffer.concat(parts);
}

describe.each([true, false])('the leaves of a disk, one after the other (from the start only: %s)', (forward) => {
  test.each([{}, { density: 0 }, { density: 1 }, { density: 0.02 }, { pieceBytes: 4096, density: 0.1 }])(
    'are the whole disk: %o',
    async (shape) => {
      const disk = buildSyntheticDisk({ virtualSizeBytes: 41 * MIB + 1000, ...shape });
      const leaves = leavesInOrder(syntheticReader(disk, { forward }), { decode: decodeSynthetic });
      expect((await bytesOf(leaves)).equals(disk.content)).toBe(true);
    },
  );
});

test('where the image can be read anywhere, its pieces may lie in any order, and each is fetched once', async () => {
  const disk = buildSyntheticDisk({ virtualSizeBytes: 60 * MIB, order: 'shuffled' });
  let fetched = 0;
  const file = new MemoryImageFile(disk.image, {});
  const shown: number[] = [];
  const leaves = leavesInOrder(syntheticReader(disk, { file }), {
    decode: decodeSynthetic,
    onFetched: (bytes) => {
      fetched += bytes;
    },
    onLeaf: (leaf) => shown.push(leaf),
  });
  expect((await bytesOf(leaves)).equals(disk.content)).toBe(true);
  expect(fetched).toBe(file.readBytes);
  expect(shown.toSorted((a, b) => a - b)).toEqual([...Array(15).keys()]);
});

test('where it can only be read from its start, another order is refused', async () => {
  const disk = buildSyntheticDisk({ virtualSizeBytes: 60 * MIB, order: 'shuffled' });
  const leaves = leavesInOrder(syntheticReader(disk, { forward: true }), { decode: decodeSynthetic });
  await expect(bytesOf(leaves)).rejects.toMatchObject({ code: 'ImageNotInOrder' });
});

test('no more than a few leaves are fetched before somebody wants them, and none after they are told to stop', async () => {
  const disk = buildSyntheticDisk({ virtualSizeBytes: 200 * MIB, density: 1 });
  const shown: number[] = [];
  const stop = new AbortController();
  const leaves = leavesInOrder(syntheticReader(disk), {
    decode: decodeSynthetic,
    onLeaf: (leaf) => shown.push(leaf),
    signal: stop.signal,
  });
  await leaves.next();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(shown.length).toBeLessThanOrEqual(4);
  stop.abort(new Error('enough'));
  await expect(leaves.next()).rejects.toThrow('enough');
});

test('what can be read only once is refused by whoever might have to begin again', () => {
  const disk = buildSyntheticDisk({ virtualSizeBytes: MIB });
  expect(() => refuseOneShot({ ...syntheticReader(disk), oneShot: true })).toThrow('only once');
  expect(() => refuseOneShot(syntheticReader(disk))).not.toThrow();
});
