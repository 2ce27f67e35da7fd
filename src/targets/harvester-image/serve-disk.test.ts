import { describe, expect, test } from 'vitest';
import { decodePiece } from '../../formats/decode-piece.ts';
import { openQcow2 } from '../../formats/qcow2/open-qcow2.ts';
import type { DiskReader, EncodedRange } from '../../ports/disk-reader.ts';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { buildSyntheticDisk, syntheticReader } from '../../testing/synthetic-disk.ts';
import { serveDisk } from './serve-disk.ts';
import type { ServedFile } from './served-file.ts';

const MIB = 2 ** 20;
const LEAF = 4 * MIB;

async function download(file: ServedFile, from = 0, to = file.sizeBytes): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of file.read(from, to)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function contentOf(file: Uint8Array): Promise<Buffer> {
  const main = new MemoryImageFile(Buffer.from(file), {});
  await using reader = await openQcow2({ main, open: () => Promise.reject(new Error('names no files')) });
  return await readWholeDisk(reader, decodePiece);
}

/** The disk itself, filled up to a whole sector. */
function filled(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

describe('a disk whose image can be read anywhere', () => {
  test.each([
    ['pieces of a cluster', { pieceBytes: 65_536 }],
    ['pieces smaller than a cluster', { pieceBytes: 4096, density: 0.1 }],
    ['pieces larger than a cluster', { pieceBytes: 262_144 }],
    ['pieces that lie in another order than on the disk', { order: 'shuffled' as const }],
    ['nothing but holes', { density: 0 }],
    ['no hole', { density: 1 }],
  ])('is served as a qcow2 of it: %s', async (_, shape) => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 17 * MIB + 1000, ...shape });
    const file = await serveDisk(syntheticReader(disk), { decode: decodePiece });
    expect(file).toMatchObject({ format: 'qcow2', hasRanges: true });
    const bytes = await download(file);
    expect(bytes).toHaveLength(file.sizeBytes);
    expect((await contentOf(bytes)).equals(filled(disk.content))).toBe(true);
  });

  test('fetches nothing to tell its length, and what it holds once', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 40 * MIB, density: 0.5 });
    const source = new MemoryImageFile(disk.image, {});
    const file = await serveDisk(syntheticReader(disk, { file: source }), { decode: decodePiece });
    expect(source.readBytes).toBe(0);
    await download(file, 0, file.dataStart);
    expect(source.readBytes).toBe(0);
    await download(file);
    const encoded = disk.pieces.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
    expect(source.readBytes).toBe(encoded);
    expect(file.fetchedBytes).toBe(encoded);
  });

  test('a leaf that several downloads want at once is fetched once', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: LEAF, density: 1 });
    const source = new MemoryImageFile(disk.image, {});
    const file = await serveDisk(syntheticReader(disk, { file: source }), { decode: decodePiece });
    const all = await Promise.all([download(file), download(file), download(file, 100_000)]);
    expect(all[0]?.equals(all[1] ?? Buffer.alloc(0))).toBe(true);
    expect(all[0]?.subarray(100_000).equals(all[2] ?? Buffer.alloc(0))).toBe(true);
    expect(source.readBytes).toBeLessThanOrEqual(disk.image.length);
  });

  test('shows each leaf with data, and reads on request those that no download reached', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 48 * MIB, density: 1 });
    const leaves = new Map<number, Buffer>();
    const onLeaf = (leaf: number, bytes: Uint8Array) => void leaves.set(leaf, Buffer.from(bytes));
    const file = await serveDisk(syntheticReader(disk), { decode: decodePiece, onLeaf });
    await download(file, file.dataStart, file.dataStart + LEAF);
    expect(leaves.size).toBeLessThan(12);
    await file.readLeaves((leaf) => !leaves.has(leaf));
    expect(leaves.size).toBe(12);
    for (const [leaf, bytes] of leaves)
      expect(bytes.equals(disk.content.subarray(leaf * LEAF, (leaf + 1) * LEAF))).toBe(true);
  });

  test('a piece that reaches into the next leaf belongs to both', async () => {
    const content = Buffer.alloc(2 * LEAF, 7);
    const piece = { offset: LEAF - 1000, length: 2000, fileOffset: 0, fileBytes: 2000, encoding: 'plain' as const };
    const reader = plainReader(content, [{ file: 0, fileOffset: 0, fileBytes: 2000, pieces: [piece] }]);
    const file = await serveDisk(reader, { decode: decodePiece });
    const expected = Buffer.alloc(2 * LEAF);
    expected.fill(7, LEAF - 1000, LEAF + 1000);
    expect((await contentOf(await download(file))).equals(expected)).toBe(true);
  });

  test('what cannot be fetched is told to whoever reads that part, and tried again for the next one', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 20 * MIB, density: 1 });
    const source = new MemoryImageFile(disk.image, {});
    const read = source.read;
    let isBroken = true;
    Object.assign(source, {
      read: async (offset: number, length: number) => {
        if (isBroken && offset > disk.image.length / 2) throw new Error('the link broke');
        return await read?.(offset, length);
      },
    });
    const file = await serveDisk(syntheticReader(disk, { file: source }), { decode: decodePiece });
    await expect(download(file)).rejects.toThrow('the link broke');
    isBroken = false;
    expect((await contentOf(await download(file))).equals(disk.content)).toBe(true);
  });

  test('a damaged piece is named', async () => {
    const content = Buffer.alloc(MIB, 7);
    const short = { offset: 0, length: 2000, fileOffset: 0, fileBytes: 2000, encoding: 'plain' as const };
    const reader = plainReader(content, [{ file: 0, fileOffset: 0, fileBytes: 2000, pieces: [short] }]);
    const file = await serveDisk(reader, { decode: () => 12 });
    await expect(download(file)).rejects.toMatchObject({
      code: 'DiskImageCorrupt',
      message: expect.stringContaining('12 bytes'),
    });
  });

  test('the tag of the content follows it', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: MIB });
    const tags = await Promise.all(
      ['one', 'one', 'two'].map(
        async (contentId) => (await serveDisk(syntheticReader(disk, { contentId }), { decode: decodePiece })).etag,
      ),
    );
    expect(tags[0]).toBe(tags[1]);
    expect(tags[0]).not.toBe(tags[2]);
  });
});

describe('a disk whose image can only be read from its start (ruling 20)', () => {
  test.each([{}, { density: 0 }, { density: 1 }, { pieceBytes: 262_144 }])(
    'is served as its raw bytes, of a length known beforehand: %o',
    async (shape) => {
      const disk = buildSyntheticDisk({ virtualSizeBytes: 17 * MIB + 1000, ...shape });
      const leaves = new Map<number, number>();
      const onLeaf = (leaf: number, { length }: Uint8Array) => void leaves.set(leaf, length);
      const file = await serveDisk(syntheticReader(disk, { forward: true }), { decode: decodePiece, onLeaf });
      expect(file).toMatchObject({ format: 'raw', hasRanges: false, sizeBytes: 17 * MIB + 1024 });
      for (const _again of [1, 2]) expect((await download(file)).equals(filled(disk.content))).toBe(true);
      expect([...leaves]).toEqual([
        [0, LEAF],
        [1, LEAF],
        [2, LEAF],
        [3, LEAF],
        [4, MIB + 1000],
      ]);
    },
  );

  test('any part of it is that part of the whole', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 9 * MIB + 1000 });
    const file = await serveDisk(syntheticReader(disk, { forward: true }), { decode: decodePiece });
    const whole = filled(disk.content);
    for (const [from, to] of [
      [0, 1],
      [5 * MIB, 5 * MIB + 3],
      [9 * MIB + 990, 9 * MIB + 1024],
      [0, 9 * MIB + 1024],
    ] as const)
      expect((await download(file, from, to)).equals(whole.subarray(from, to)), `${from} to ${to}`).toBe(true);
  });

  test('is refused midway when its pieces come in another order', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 40 * MIB, order: 'shuffled' });
    const file = await serveDisk(syntheticReader(disk, { forward: true }), { decode: decodePiece });
    await expect(download(file)).rejects.toMatchObject({ code: 'ImageNotInOrder' });
  });

  test('is refused when it can be read only once: no download could begin again', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: MIB });
    const reader = { ...syntheticReader(disk, { forward: true }), oneShot: true };
    await expect(serveDisk(reader, { decode: decodePiece })).rejects.toMatchObject({ code: 'SourceRangesRequired' });
  });

  test('reads on request what was not shown yet', async () => {
    const disk = buildSyntheticDisk({ virtualSizeBytes: 9 * MIB });
    const seen: number[] = [];
    const file = await serveDisk(syntheticReader(disk, { forward: true }), {
      decode: decodePiece,
      onLeaf: (leaf) => seen.push(leaf),
    });
    await file.readLeaves(() => false);
    expect(seen).toEqual([]);
    await file.readLeaves((leaf) => leaf === 2);
    expect(seen).toEqual([0, 1, 2]);
  });
});

function plainReader(content: Buffer, ranges: readonly EncodedRange[]): DiskReader {
  const contentId = 'plain';
  return {
    format: 'plain',
    virtualSizeBytes: content.length,
    contentId,
    readContentId: async () => contentId,
    files: [new MemoryImageFile(content, {})],
    oneShot: false,
    allocation: { kind: 'unknown' },
    async *ranges({ wants = () => true } = {}) {
      for (const range of ranges)
        if (
          range.pieces.some(({ offset, length }) =>
            [offset, offset + length - 1].some((at) => wants(Math.floor(at / LEAF))),
          )
        )
          yield range;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
