import { describe, expect, test } from 'vitest';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { MemoryDiskFiles } from '../../testing/vmdk-builder.ts';
import { decodePiece } from '../decode-piece.ts';
import { openVmdk } from './open-vmdk.ts';
import { STREAM_GRAIN_BYTES, writeStreamOptimized } from './stream-optimized-writer.ts';

const sizeBytes = 40 * 2 ** 20 + 1024;
const grainAt = (index: number) => ({
  offset: index * STREAM_GRAIN_BYTES,
  bytes: new Uint8Array(Math.min(STREAM_GRAIN_BYTES, sizeBytes - index * STREAM_GRAIN_BYTES)).fill(index),
});
const write = (indexes: number[], tables: 'end' | 'front' = 'end') =>
  writeStreamOptimized({ virtualSizeBytes: sizeBytes, grains: indexes.map(grainAt), tables });

describe('writeStreamOptimized', () => {
  test.each(['end', 'front'] as const)('with tables at the %s, our reader reads it both ways', async (tables) => {
    const image = Buffer.concat(await collect(write([1, 511, 512, 640], tables)));
    const expected = Buffer.alloc(sizeBytes);
    for (const index of [1, 511, 512, 640]) expected.set(grainAt(index).bytes, grainAt(index).offset);
    for (const mode of [{ ranged: true }, { ranged: false }]) {
      await using reader = await openVmdk(new MemoryDiskFiles(image, mode));
      expect(reader.format).toBe('vmdk streamOptimized');
      expect((await readWholeDisk(reader, decodePiece)).equals(expected)).toBe(true);
    }
  });

  test('the same grains give the same bytes', async () => {
    expect(await collect(write([3, 5]))).toEqual(await collect(write([3, 5])));
  });

  test('pulls grains only as its bytes are pulled', async () => {
    let pulled = 0;
    let closed = false;
    async function* grains() {
      try {
        for (let index = 0; index < 600; index += 1) {
          pulled += 1;
          yield grainAt(index);
        }
      } finally {
        closed = true;
      }
    }
    let pieces = 0;
    for await (const _piece of writeStreamOptimized({ virtualSizeBytes: sizeBytes, grains: grains() })) {
      pieces += 1;
      if (pieces === 3) break;
    }
    expect([pulled, closed]).toEqual([2, true]);
  });

  test.each([
    ['out of order', [grainAt(2), grainAt(1)]],
    ['twice', [grainAt(2), grainAt(2)]],
    ['off its boundary', [{ offset: 512, bytes: grainAt(0).bytes }]],
    ['too short', [{ offset: 0, bytes: new Uint8Array(5) }]],
    ['beyond the disk', [{ offset: 641 * STREAM_GRAIN_BYTES, bytes: grainAt(0).bytes }]],
  ])('a grain %s is a bug of the caller', async (_what, grains) => {
    await expect(collect(writeStreamOptimized({ virtualSizeBytes: sizeBytes, grains }))).rejects.toThrow(RangeError);
  });

  test('a disk has whole sectors', async () => {
    await expect(collect(writeStreamOptimized({ virtualSizeBytes: 100, grains: [] }))).rejects.toThrow(RangeError);
  });
});
