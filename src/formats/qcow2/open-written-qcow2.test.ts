import { describe, expect, test } from 'vitest';
import { decodeRanges, readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { MemoryStorageFile } from '../../testing/memory-storage.ts';
import { decodePiece } from '../decode-piece.ts';
import { openWrittenQcow2 } from './open-written-qcow2.ts';
import { openQcow2Writer } from './qcow2-writer.ts';

const BLOCK = 65_536;

async function imageOf(disk: Buffer, compression: 'none' | 'zstd'): Promise<MemoryImageFile> {
  const image = new MemoryStorageFile();
  const journal = new MemoryStorageFile();
  await using writer = await openQcow2Writer({ image, journal, virtualSizeBytes: disk.length, compression });
  await writer.write(0, disk);
  await writer.finish();
  return new MemoryImageFile(image.bytes);
}

describe.each(['none', 'zstd'] as const)('openWrittenQcow2, compression %s', (compression) => {
  test.each([1, 511, BLOCK + 1, BLOCK + 700])(
    'a disk of %i bytes comes without what fills its last sector',
    async (size) => {
      const disk = Buffer.alloc(size, 'something');
      const reader = await openWrittenQcow2(await imageOf(disk, compression), size);
      expect(reader.virtualSizeBytes).toBe(size);
      expect((await readWholeDisk(reader, decodePiece)).equals(disk)).toBe(true);
      expect(reader.allocation.kind).toBe('known');
      expect(await reader.readContentId()).toBe(reader.contentId);
    },
  );

  test('whole sectors are opened as they are', async () => {
    const disk = Buffer.alloc(1024, 'x');
    const image = await imageOf(disk, compression);
    for (const size of [1024, undefined]) {
      const reader = await openWrittenQcow2(image, size);
      expect(reader.virtualSizeBytes).toBe(1024);
      expect(reader.allocation).toEqual({ kind: 'exact', bytes: 1024 });
    }
  });

  test.each([100, 512, 1025, 4096])('an image of another size than %i bytes tells its own', async (size) => {
    const reader = await openWrittenQcow2(await imageOf(Buffer.alloc(1024, 'x'), compression), size);
    expect(reader.virtualSizeBytes).toBe(1024);
    for await (const _part of decodeRanges(reader, decodePiece)) void _part;
  });

  test('closes its file, also when it does not open', async () => {
    const image = await imageOf(Buffer.alloc(1000, 'x'), compression);
    await (await openWrittenQcow2(image, 1000))[Symbol.asyncDispose]();
    expect(image.isDisposed).toBe(true);
    const damaged = new MemoryImageFile(new Uint8Array(1000));
    await expect(openWrittenQcow2(damaged, 1000)).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    expect(damaged.isDisposed).toBe(true);
  });
});
