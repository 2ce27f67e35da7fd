import { describe, expect, test } from 'vitest';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { MemoryStorageFile } from '../../testing/memory-storage.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { decodePiece } from '../decode-piece.ts';
import { openRaw } from './open-raw.ts';
import { createRawWriter } from './raw-writer.ts';

const MIB = 2 ** 20;
const content = randomBytes(seededRandom(1), 5 * MIB + 77);
const files = (bytes: Uint8Array, options: ConstructorParameters<typeof MemoryImageFile>[1] = {}) => ({
  main: new MemoryImageFile(bytes, options),
  open: async () => Promise.reject(new Error('raw names no files')),
});

describe('openRaw', () => {
  test.each([0, 1, 511, MIB, content.length])('reads %i bytes from a file and from a stream', async (size) => {
    const bytes = content.subarray(0, size);
    const ranged = await openRaw(files(bytes));
    expect(Buffer.compare(await readWholeDisk(ranged, decodePiece), bytes)).toBe(0);
    const stream = await openRaw(files(bytes, { ranged: false, pieceBytes: 100_003 }), { virtualSizeBytes: size });
    expect(Buffer.compare(await readWholeDisk(stream, decodePiece), bytes)).toBe(0);
  });

  test.each([true, false])(
    'closes each leaf with its last range and leaves out unwanted ones (ranged: %s)',
    async (ranged) => {
      const reader = await openRaw(files(content, { ranged }), { virtualSizeBytes: content.length });
      const ranges = await collect(reader.ranges());
      expect(ranges.map((range) => range.closesLeaves?.[0]?.first)).toEqual([
        undefined,
        undefined,
        undefined,
        0,
        undefined,
        1,
      ]);
      expect(ranges.every((range) => (range.bytes === undefined) === ranged)).toBe(true);
      const wanted = await collect(reader.ranges({ wants: (leaf) => leaf === 1 }));
      expect(wanted.map((range) => range.fileOffset)).toEqual([4 * MIB, 5 * MIB]);
    },
  );

  test('a stream is shown to its end, also past what nobody wants', async () => {
    const { main, open } = files(content, { ranged: false });
    const reader = await openRaw({ main, open }, { virtualSizeBytes: content.length });
    let seen = 0;
    const observe = (_file: number, offset: number, bytes: Uint8Array) => {
      expect(offset).toBe(seen);
      seen += bytes.length;
    };
    await collect(reader.ranges({ observe, wants: () => false }));
    expect(seen).toBe(content.length);
    expect(main.openStreams).toBe(0);
  });

  test('sizes that disagree, or that nobody knows, are named', async () => {
    const streamed = (virtualSizeBytes?: number) => openRaw(files(content, { ranged: false }), { virtualSizeBytes });
    await expect(streamed()).rejects.toMatchObject({ code: 'DiskFormatUnsupported' });
    const shorter = await streamed(content.length - 1);
    await expect(collect(shorter.ranges())).rejects.toMatchObject({ code: 'DiskSizeMismatch' });
    const longer = await streamed(content.length + 1);
    await expect(collect(longer.ranges())).rejects.toMatchObject({ code: 'DiskImageTruncated' });
    const known = openRaw(files(content), { virtualSizeBytes: 5 * MIB });
    await expect(known).rejects.toMatchObject({ code: 'DiskSizeMismatch' });
    await expect(streamed(65 * 2 ** 40)).rejects.toMatchObject({ code: 'DiskTooLarge' });
  });

  test('stopping early closes the stream', async () => {
    const { main, open } = files(content, { ranged: false });
    const reader = await openRaw({ main, open }, { virtualSizeBytes: content.length });
    for await (const _range of reader.ranges()) break;
    expect(main.openStreams).toBe(0);
    await reader[Symbol.asyncDispose]();
    expect(main.isDisposed).toBe(true);
  });
});

describe('createRawWriter', () => {
  test('gives the file its size first, writes, continues and reads', async () => {
    const file = new MemoryStorageFile();
    const first = await createRawWriter(file, 200_000);
    expect(file.bytes.length).toBe(200_000);
    await first.write(65_536, Buffer.alloc(65_536, 4));
    await first.flush();
    const second = await createRawWriter(file, 200_000);
    await second.write(196_608, Buffer.alloc(3392, 5));
    await second.finish();
    const seen = Buffer.alloc(200_000, 9);
    await second.read(0, seen);
    expect([seen[0], seen[65_536], seen[131_071], seen[131_072], seen[199_999]]).toEqual([0, 4, 4, 0, 5]);
    await expect(second.write(196_608, Buffer.alloc(65_536))).rejects.toThrow(RangeError);
  });

  test('a file that became shorter is noticed', async () => {
    const file = new MemoryStorageFile('disk.raw', Buffer.alloc(1000));
    const writer = await createRawWriter(file, 1000);
    await file.truncate(500);
    await expect(writer.read(400, new Uint8Array(200))).rejects.toMatchObject({ code: 'DiskImageTruncated' });
    await expect(writer.read(900, new Uint8Array(101))).rejects.toThrow(RangeError);
    await expect(writer.openWritten()).rejects.toMatchObject({ code: 'DiskSizeMismatch' });
  });

  test('opens what it wrote as an image, and stays open when that is closed', async () => {
    const file = new MemoryStorageFile('disk.raw');
    const writer = await createRawWriter(file, content.length);
    await writer.write(0, content);
    await writer.finish();
    {
      await using reader = await writer.openWritten();
      expect(reader).toMatchObject({ format: 'raw', virtualSizeBytes: content.length });
      expect(Buffer.compare(await readWholeDisk(reader, decodePiece), content)).toBe(0);
      file.bytes[70_000] = (file.bytes[70_000] ?? 0) ^ 1;
      expect(Buffer.compare(await readWholeDisk(reader, decodePiece), content)).not.toBe(0);
    }
    await writer.write(0, content.subarray(0, 65_536));
  });

  test('lanes can write to a real file only', async () => {
    const real = Object.assign(new MemoryStorageFile('disk.raw'), { path: '/out/disk.raw' });
    const target = { raw: { path: '/out/disk.raw', name: 'disk.raw' } };
    expect((await createRawWriter(real, 10)).laneTarget).toEqual(target);
    expect((await createRawWriter(new MemoryStorageFile(), 10)).laneTarget).toBeUndefined();
  });

  test('a target that may hold anything is zeroed by its own means', async () => {
    const zeroed: number[][] = [];
    const zero = async (offset: number, length: number) => void zeroed.push([offset, length]);
    const writer = await createRawWriter(new MemoryStorageFile(), 1000, { zero });
    await writer.zero?.(65_536, 10);
    expect([writer.isKnownZero, zeroed]).toEqual([false, [[65_536, 10]]]);
    const plain = await createRawWriter(new MemoryStorageFile(), 1000);
    expect([plain.isKnownZero, plain.zero]).toEqual([true, undefined]);
  });
});
