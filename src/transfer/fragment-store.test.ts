import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { FragmentStore } from './fragment-store.ts';

const corrupt = expect.objectContaining({ code: 'DiskImageCorrupt' });

function memorySpill(sizeBytes: number) {
  const bytes = Buffer.alloc(sizeBytes);
  let writes = 0;
  return {
    bytes,
    get writes() {
      return writes;
    },
    write: async (offset: number, part: Uint8Array) => {
      writes += 1;
      bytes.set(part, offset);
    },
    read: async (offset: number, into: Uint8Array) => void into.set(bytes.subarray(offset, offset + into.length)),
  };
}

describe('FragmentStore', () => {
  test('gives a block when its last part comes, in whatever order they come', async () => {
    const store = new FragmentStore(LEAF_BYTES, undefined);
    const half = BLOCK_BYTES / 2;
    expect(await store.add(BLOCK_BYTES + half, new Uint8Array(half).fill(2))).toEqual([]);
    const [whole] = await store.add(BLOCK_BYTES, new Uint8Array(half).fill(1));
    expect(whole).toMatchObject({ block: 1, wasSpilled: false });
    expect([whole?.bytes[0], whole?.bytes[half]]).toEqual([1, 2]);
    expect(await store.takeLeaf(0)).toEqual([]);
  });

  test('a part over several blocks makes the middle ones whole at once', async () => {
    const store = new FragmentStore(LEAF_BYTES, undefined);
    const whole = await store.add(BLOCK_BYTES - 512, new Uint8Array(2 * BLOCK_BYTES).fill(5));
    expect(whole.map(({ block }) => block)).toEqual([1]);
    const rest = await store.takeLeaf(0);
    expect(rest.map(({ block }) => block)).toEqual([0, 2]);
    expect(rest[0]?.bytes.subarray(-513)).toEqual(new Uint8Array(513).fill(5).fill(0, 0, 1));
  });

  test('the last block of the disk is whole at the end of the disk', async () => {
    const store = new FragmentStore(BLOCK_BYTES + 1000, undefined);
    expect(await store.add(BLOCK_BYTES, new Uint8Array(1000).fill(1))).toMatchObject([{ block: 1 }]);
  });

  test('a byte that comes twice is corruption, also after its block was put aside', async () => {
    const store = new FragmentStore(LEAF_BYTES, undefined);
    await store.add(512, new Uint8Array(1024));
    await expect(store.add(1024, new Uint8Array(512))).rejects.toThrow(corrupt);

    const spill = memorySpill(40 * LEAF_BYTES);
    const large = new FragmentStore(40 * LEAF_BYTES, spill);
    for (let block = 0; block < 300; block += 1) await large.add(block * BLOCK_BYTES, new Uint8Array(512).fill(9));
    expect(spill.writes).toBeGreaterThan(0);
    await expect(large.add(0, new Uint8Array(512))).rejects.toThrow(corrupt);
  });

  test('puts the oldest blocks aside and continues them: every byte ends where it belongs', async () => {
    const sizeBytes = 8 * LEAF_BYTES;
    const blocks = sizeBytes / BLOCK_BYTES;
    const spill = memorySpill(sizeBytes);
    const store = new FragmentStore(sizeBytes, spill);
    const random = seededRandom(3);
    const parts = Array.from({ length: blocks * 4 }, (_, index) => index);
    for (let at = parts.length - 1; at > 0; at -= 1) {
      const other = randomBelow(random, at + 1);
      [parts[at], parts[other]] = [parts[other] ?? 0, parts[at] ?? 0];
    }
    const result = Buffer.alloc(sizeBytes);
    const quarter = BLOCK_BYTES / 4;
    let spilledOnes = 0;
    for (const part of parts) {
      for (const whole of await store.add(part * quarter, new Uint8Array(quarter).fill((part % 251) + 1))) {
        result.set(whole.bytes, whole.block * BLOCK_BYTES);
        if (whole.wasSpilled) spilledOnes += 1;
      }
    }
    expect(spilledOnes).toBeGreaterThan(0);
    for (let part = 0; part < blocks * 4; part += 1) {
      expect(result[part * quarter]).toBe((part % 251) + 1);
      expect(result[(part + 1) * quarter - 1]).toBe((part % 251) + 1);
    }
  });

  test('without a place to put blocks aside there is a limit, and it is named', async () => {
    const store = new FragmentStore(40 * LEAF_BYTES, undefined);
    const adding = (async () => {
      for (let block = 0; block < 300; block += 1) await store.add(block * BLOCK_BYTES, new Uint8Array(512));
    })();
    await expect(adding).rejects.toMatchObject({ code: 'DiskTooScattered' });
  });
});
