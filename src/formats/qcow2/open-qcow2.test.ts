import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { buildQcow2, COMPRESSED, PLAIN, type Qcow2Sample, ZERO } from '../../testing/qcow2-builder.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { decodePiece } from '../decode-piece.ts';
import { isQcow2 } from './layout.ts';
import { type OpenQcow2Options, openQcow2 } from './open-qcow2.ts';

const random = seededRandom(3);
const cluster = (bytes = 512) => randomBytes(random, bytes);
const files = (bytes: Uint8Array, options: ConstructorParameters<typeof MemoryImageFile>[1] = {}) => ({
  main: new MemoryImageFile(bytes, { name: 'disk.qcow2', ...options }),
  open: async () => Promise.reject(new Error('qcow2 names no files')),
});
const read = async (bytes: Uint8Array, options: OpenQcow2Options = {}) =>
  readWholeDisk(await openQcow2(files(bytes), options), decodePiece);
const openSample = (sample: Qcow2Sample) => openQcow2(files(buildQcow2(sample)));

/** Sectors of 512: 3 to 6 hold data, in the order 5, 3, 4 of the disk's clusters 0, 1, 3. */
const [first, second, third] = [cluster(), cluster(), cluster()] as const;
const shuffled: Qcow2Sample = {
  virtualSizeBytes: 2048,
  l2: { 0: PLAIN | 2560n, 1: PLAIN | 1536n, 3: PLAIN | 2048n },
  data: { 1536: second, 2048: third, 2560: first },
};
const shuffledDisk = Buffer.concat([first, second, new Uint8Array(512), third]);

describe('openQcow2', () => {
  test.each([1, 2, 1000])('gives pieces in the order of the file, sorting %i at a time', async (piecesPerPass) => {
    const reader = await openQcow2(files(buildQcow2(shuffled)), { piecesPerPass });
    const pieces = (await collect(reader.ranges())).flatMap((range) => range.pieces);
    expect(pieces.map((piece) => piece.fileOffset)).toEqual([1536, 2048, 2560]);
    expect(await readWholeDisk(reader, decodePiece)).toEqual(shuffledDisk);
    expect(reader).toMatchObject({ format: 'qcow2 v3', allocation: { kind: 'exact', bytes: 1536 } });
  });

  test('joins clusters that follow each other in disk and file to one piece', async () => {
    const bytes = cluster(2048);
    const l2 = { 0: PLAIN | 1536n, 1: PLAIN | 2048n, 2: PLAIN | 2560n, 3: PLAIN | 3072n };
    const reader = await openSample({ virtualSizeBytes: 2048, l2, data: { 1536: bytes } });
    const ranges = await collect(reader.ranges());
    expect(ranges).toEqual([
      {
        file: 0,
        fileOffset: 1536,
        fileBytes: 2048,
        pieces: [{ offset: 0, length: 2048, fileOffset: 1536, fileBytes: 2048, encoding: 'plain' }],
        closesLeaves: [{ first: 0, count: 1 }],
      },
    ]);
  });

  test('cluster entries that say "zero" are holes, with and without a cluster behind them', async () => {
    const l2 = { 0: ZERO, 1: PLAIN | 1536n | ZERO, 2: PLAIN | 2048n };
    const bytes = buildQcow2({ virtualSizeBytes: 2048, l2, data: { 1536: cluster(), 2048: first } });
    const reader = await openQcow2(files(bytes));
    expect(reader.allocation).toEqual({ kind: 'exact', bytes: 512 });
    expect(await read(bytes)).toEqual(Buffer.concat([new Uint8Array(1024), first, new Uint8Array(512)]));
  });

  test('compressed clusters may share a sector; the pieces do not overlap', async () => {
    const plain = [new Uint8Array(512).fill(7), new Uint8Array(512).fill(9)] as const;
    const packed = plain.map((each) => deflateRawSync(each));
    const [one, two] = [packed[0] ?? Buffer.alloc(0), packed[1] ?? Buffer.alloc(0)];
    const at = 1536 + one.length;
    const bytes = buildQcow2({
      virtualSizeBytes: 1024,
      l2: { 0: COMPRESSED | 1536n, 1: COMPRESSED | BigInt(at) },
      data: { 1536: Buffer.concat([one, two]) },
    });
    const pieces = (await collect((await openQcow2(files(bytes))).ranges())).flatMap((range) => range.pieces);
    expect(pieces.map((piece) => piece.fileBytes)).toEqual([one.length, two.length]);
    expect(await read(bytes)).toEqual(Buffer.concat(plain));
  });

  test('the last cluster is cut at the end of the disk, and so may be the file', async () => {
    const bytes = buildQcow2({
      virtualSizeBytes: 612,
      l2: { 1: PLAIN | 1536n },
      data: { 1536: first.subarray(0, 100) },
    });
    expect(await read(bytes)).toEqual(Buffer.concat([new Uint8Array(512), first.subarray(0, 100)]));
  });

  test('a compressed last cluster unpacks to a whole one', async () => {
    const packed = deflateRawSync(Buffer.alloc(512, 5));
    const bytes = buildQcow2({ virtualSizeBytes: 100, l2: { 0: COMPRESSED | 1536n }, data: { 1536: packed } });
    expect(await read(bytes)).toEqual(Buffer.alloc(100, 5));
  });

  test('subclusters: allocated ones are data, the others holes', async () => {
    const clusterBytes = 16_384;
    const data = cluster(clusterBytes);
    const l2 = { 0: [PLAIN | BigInt(3 * clusterBytes), (0b1000n << 32n) | 0b110n] as const };
    const sample = { virtualSizeBytes: 2 * clusterBytes, clusterBits: 14, incompatible: 16n, l2 };
    const disk = await read(buildQcow2({ ...sample, data: { [3 * clusterBytes]: data } }));
    const expected = Buffer.alloc(2 * clusterBytes);
    expected.set(data.subarray(512, 1536), 512);
    expect(disk).toEqual(expected);
  });

  test('leaves that are holes are closed first, others with their last piece; unwanted ones are left out', async () => {
    const bits = 16;
    const l2 = { 0: PLAIN | 0x30000n, 64: PLAIN | 0x50000n, 65: PLAIN | 0x40000n, 192: PLAIN | 0x60000n };
    const sample = { virtualSizeBytes: 5 * 4_194_304, clusterBits: bits, l2, fileBytes: 0x70000 };
    const reader = await openSample(sample);
    const closed = async (wants?: (leaf: number) => boolean) =>
      (await collect(reader.ranges({ wants }))).map((range) => [range.pieces.length, range.closesLeaves]);
    expect(await closed()).toEqual([
      [
        0,
        [
          { first: 2, count: 1 },
          { first: 4, count: 1 },
        ],
      ],
      [4, [0, 1, 3].map((leaf) => ({ first: leaf, count: 1 }))],
    ]);
    expect(await closed((leaf) => leaf === 1 || leaf === 4)).toEqual([
      [0, [{ first: 4, count: 1 }]],
      [2, [{ first: 1, count: 1 }]],
    ]);
  });

  test('a disk of no bytes has no ranges', async () => {
    expect(await collect((await openSample({ virtualSizeBytes: 0 })).ranges())).toEqual([]);
  });

  test('notices a file that changed', async () => {
    const { main, open } = files(buildQcow2(shuffled));
    const reader = await openQcow2({ main, open });
    expect(await reader.readContentId()).toBe(reader.contentId);
    main.identity = 'changed';
    expect(await reader.readContentId()).not.toBe(reader.contentId);
    await reader[Symbol.asyncDispose]();
    expect(main.isDisposed).toBe(true);
  });

  test('an aborted walk throws the reason', async () => {
    const reader = await openSample(shuffled);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(collect(reader.ranges({ signal }))).rejects.toThrow('enough');
    await expect(openQcow2(files(buildQcow2(shuffled)), { signal })).rejects.toThrow('enough');
  });

  test('is told by its magic', () => {
    expect(isQcow2(buildQcow2(shuffled))).toBe(true);
    expect(isQcow2(Buffer.from('KDMV'))).toBe(false);
    expect(isQcow2(new Uint8Array(2))).toBe(false);
  });
});

const data = { 1536: first, 2048: second };
const write32 = (at: number, value: number) => (bytes: Buffer) => void bytes.writeUInt32BE(value, at);
const write64 = (at: number, value: bigint) => (bytes: Buffer) => void bytes.writeBigUInt64BE(value, at);
const both = (one: (bytes: Buffer) => void, other: (bytes: Buffer) => void) => (bytes: Buffer) => {
  one(bytes);
  other(bytes);
};

const refused: [what: string, code: string, sample: Partial<Qcow2Sample>][] = [
  ['version 1', 'DiskFormatUnsupported', { damage: write32(4, 1) }],
  ['version 4', 'DiskFormatUnsupported', { damage: write32(4, 4) }],
  ['clusters of 256 bytes', 'DiskImageCorrupt', { damage: write32(20, 8) }],
  ['clusters of 4 MiB', 'DiskImageCorrupt', { damage: write32(20, 22) }],
  ['a backing file', 'DiskHasParent', { damage: both(write64(8, 200n), write32(16, 4)) }],
  ['AES', 'DiskEncrypted', { damage: write32(32, 1) }],
  ['LUKS', 'DiskEncrypted', { damage: write32(32, 2) }],
  ['a LUKS extension', 'DiskEncrypted', { damage: both(write32(112, 0x0537be77), write32(116, 16)) }],
  ['an extension without end', 'DiskImageCorrupt', { damage: both(write32(112, 5), write32(116, 0x7fffffff)) }],
  ['the corrupt bit', 'DiskImageCorrupt', { incompatible: 2n }],
  ['an external data file', 'DiskFormatUnsupported', { incompatible: 4n }],
  ['an unknown feature', 'DiskFormatUnsupported', { incompatible: 1n << 40n }],
  ['an unknown compression', 'DiskCompressionUnsupported', { incompatible: 8n, compressionType: 2 }],
  ['zstd without its bit', 'DiskImageCorrupt', { compressionType: 1 }],
  ['subclusters of 16 bytes', 'DiskImageCorrupt', { incompatible: 16n }],
  ['2^63 bytes', 'DiskTooLarge', { damage: write64(24, 1n << 63n) }],
  ['65 TiB', 'DiskTooLarge', { damage: write64(24, 65n << 40n) }],
  ['an L1 table of 2 GiB', 'DiskFormatUnsupported', { damage: write64(24, 1n << 42n) }],
  ['an L1 table that is too short', 'DiskImageCorrupt', { damage: write64(24, 1n << 30n) }],
  ['a header longer than the file', 'DiskImageCorrupt', { damage: write32(100, 0x10000000) }],
  ['an L1 table beyond the file', 'DiskImageCorrupt', { damage: write64(40, 1n << 50n) }],
  ['an L1 table at an odd place', 'DiskImageCorrupt', { damage: write64(40, 513n) }],
  ['an L1 table in the header', 'DiskImageCorrupt', { damage: write64(40, 0n) }],
  ['an L2 table beyond the file', 'DiskImageCorrupt', { damage: write64(512, PLAIN | (1n << 40n)) }],
  ['an L2 table at an odd place', 'DiskImageCorrupt', { clusterBits: 10, damage: write64(1024, PLAIN | 2560n) }],
  ['an L1 entry with reserved bits', 'DiskImageCorrupt', { damage: write64(512, PLAIN | 1024n | 4n) }],
  ['an L2 table in the L1 table', 'DiskImageCorrupt', { damage: write64(512, PLAIN | 512n) }],
  ['a cluster in its own L2 table', 'DiskImageCorrupt', { l2: { 0: PLAIN | 1024n } }],
  ['a cluster in the L1 table', 'DiskImageCorrupt', { l2: { 0: PLAIN | 512n } }],
  ['a compressed cluster in the header', 'DiskImageCorrupt', { l2: { 0: COMPRESSED | 20n } }],
  ['one cluster used twice', 'DiskImageCorrupt', { l2: { 0: PLAIN | 1536n, 1: PLAIN | 1536n } }],
  ['a cluster both plain and compressed', 'DiskImageCorrupt', { l2: { 0: COMPRESSED | 1540n, 1: PLAIN | 1536n } }],
  ['a cluster beyond the file', 'DiskImageCorrupt', { l2: { 0: PLAIN | 0x100000n } }],
  ['a compressed cluster beyond the file', 'DiskImageCorrupt', { l2: { 0: COMPRESSED | 0x100000n } }],
  [
    'a file that lacks the end of a cluster',
    'DiskImageTruncated',
    { l2: { 0: PLAIN | 1536n }, data: { 1536: first.subarray(1) } },
  ],
  ['reserved bits in a cluster entry', 'DiskImageCorrupt', { l2: { 0: PLAIN | 1536n | (1n << 57n) } }],
  ['a zero cluster in version 2', 'DiskImageCorrupt', { version: 2, l2: { 0: ZERO } }],
];

describe('openQcow2 refuses', () => {
  test.each(refused)('%s', async (_what, code, sample) => {
    const { main, open } = files(buildQcow2({ virtualSizeBytes: 2048, data, ...sample }));
    await expect(openQcow2({ main, open })).rejects.toMatchObject({ code });
    expect(main.isDisposed).toBe(true);
  });

  test.each([5, 60, 90])('a header of which only %i bytes are there', async (length) => {
    const bytes = buildQcow2(shuffled).subarray(0, length);
    await expect(openQcow2(files(bytes))).rejects.toMatchObject({ code: 'DiskImageTruncated' });
  });

  test('a stream without random access', async () => {
    const stream = files(buildQcow2(shuffled), { ranged: false });
    await expect(openQcow2(stream)).rejects.toMatchObject({ code: 'SourceRangesRequired' });
  });

  test('contradicting subclusters', async () => {
    const base = { virtualSizeBytes: 32_768, clusterBits: 14, incompatible: 16n, fileBytes: 65_536 };
    const both = [PLAIN | 49_152n, (1n << 32n) | 1n] as const;
    await expect(openSample({ ...base, l2: { 0: both } })).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    await expect(openSample({ ...base, l2: { 0: [0n, 1n] } })).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
  });

  test('compressed clusters that overlap by more than a sector, or do not unpack, when they are met', async () => {
    const two = { clusterBits: 12, virtualSizeBytes: 8192, fileBytes: 20_480 };
    const sectors = 3n << 58n;
    const overlapping = { 0: COMPRESSED | sectors | 12_288n, 1: COMPRESSED | 12_800n };
    await expect(read(buildQcow2({ ...two, l2: overlapping }))).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    const same = { 0: COMPRESSED | 12_288n, 1: COMPRESSED | 12_288n };
    await expect(read(buildQcow2({ ...two, l2: same }))).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    const garbage = { 0: COMPRESSED | 12_288n };
    const bytes = buildQcow2({ ...two, l2: garbage, data: { 12288: Buffer.alloc(512, 0xff) } });
    await expect(read(bytes)).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
  });

  test('a bomb in a compressed cluster', async () => {
    const bomb = deflateRawSync(Buffer.alloc(100_000));
    const bytes = buildQcow2({ virtualSizeBytes: 512, l2: { 0: COMPRESSED | 1536n }, data: { 1536: bomb } });
    await expect(read(bytes)).rejects.toMatchObject({ code: 'DiskGrainOversized' });
  });
});

test('the dirty bit is no reason to refuse: refcounts are not read', async () => {
  expect(await read(buildQcow2({ ...shuffled, incompatible: 1n }))).toEqual(shuffledDisk);
});
