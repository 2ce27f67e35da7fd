import { describe, expect, test } from 'vitest';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { buildSparse, contentOf, MemoryDiskFiles } from '../../testing/vmdk-builder.ts';
import { decodePiece } from '../decode-piece.ts';
import { openVmdk } from './open-vmdk.ts';

const MIB = 2 ** 20;
const random = seededRandom(11);
const noise = randomBytes(random, 3 * MIB + 512);
const sparseSpec = {
  virtualSizeBytes: 5 * MIB,
  descriptor: '',
  grains: new Map([
    [0, noise.subarray(0, 65_536)],
    [79, noise.subarray(70_000, 70_000 + 65_536)],
  ]),
};
const sparse = buildSparse(sparseSpec);
const lines = (...extents: string[]) =>
  new TextEncoder().encode(
    `# Disk DescriptorFile\nversion=1\nCID=aabbccdd\ncreateType="custom"\n${extents.join('\n')}\n`,
  );
/** Sparse, hole, two parts of one flat file in the other order; no boundary lies on a leaf's. */
const mixed = lines(
  `RW ${(5 * MIB) / 512} SPARSE "a-s001.vmdk"`,
  'RW 6145 ZERO',
  'RW 2048 FLAT "a-flat.vmdk" 4097',
  'RW 4097 FLAT "a-flat.vmdk" 0',
);
const mixedContent = Buffer.concat([
  contentOf(sparseSpec),
  Buffer.alloc(6145 * 512),
  noise.subarray(4097 * 512, 6145 * 512),
  noise.subarray(0, 4097 * 512),
]);
const neighbours = { 'a-s001.vmdk': sparse.bytes, 'a-flat.vmdk': noise.subarray(0, 6145 * 512) };
const modes = [{ ranged: true }, { ranged: false }];

async function refusal(main: Uint8Array, options: ConstructorParameters<typeof MemoryDiskFiles>[1] = {}) {
  const files = new MemoryDiskFiles(main, options);
  try {
    await using reader = await openVmdk(files);
    await readWholeDisk(reader, decodePiece);
  } catch (error) {
    for (const file of files.opened) expect([file.isDisposed, file.openStreams]).toEqual([true, 0]);
    return (error as { code?: string }).code ?? String(error);
  }
  return 'read';
}

describe.each(modes)('a descriptor with extents beside it, %j', (mode) => {
  const open = async () => {
    const files = new MemoryDiskFiles(mixed, { ...mode, neighbours });
    return { files, reader: await openVmdk(files) };
  };

  test('joins extents of every type', async () => {
    const { files, reader } = await open();
    await using _closing = reader;
    expect(reader.virtualSizeBytes).toBe(mixedContent.length);
    expect(reader.format).toBe('vmdk custom');
    expect(reader.files.map((file) => file.name)).toEqual(['disk.vmdk', 'a-s001.vmdk', 'a-flat.vmdk']);
    expect((await readWholeDisk(reader, decodePiece)).equals(mixedContent)).toBe(true);
    expect(files.opened.map((file) => file.openStreams)).toEqual([0, 0, 0]);
  });

  test('closes each leaf when the last of its extents has passed', async () => {
    const { reader } = await open();
    await using _closing = reader;
    const closed = (await collect(reader.ranges())).flatMap((range) => range.closesLeaves ?? []);
    expect(closed.flatMap(({ first, count }) => Array.from({ length: count }, (_, at) => first + at)).sort()).toEqual([
      0, 1, 2,
    ]);
  });

  test('leaves out what is not wanted', async () => {
    const { reader } = await open();
    await using _closing = reader;
    const disk = await readWholeDisk(reader, decodePiece, { wants: (leaf) => leaf === 2 });
    expect(disk.equals(Buffer.from(mixedContent).fill(0, 0, 8 * MIB))).toBe(true);
  });

  test('disposing closes every file', async () => {
    const { files, reader } = await open();
    await reader[Symbol.asyncDispose]();
    expect(files.opened.map((file) => file.isDisposed)).toEqual([true, true, true]);
  });

  test('the content id names disk and files, and changes with any of them', async () => {
    const { files, reader } = await open();
    await using _closing = reader;
    expect(reader.contentId).toContain('cid=aabbccdd');
    expect(await reader.readContentId()).toBe(reader.contentId);
    const last = files.opened.at(-1);
    if (last) last.identity = 'changed';
    expect(await reader.readContentId()).not.toBe(reader.contentId);
  });
});

test('in order, all bytes of all files are shown to the observer, the descriptor too', async () => {
  await using reader = await openVmdk(new MemoryDiskFiles(mixed, { ranged: false, pieceBytes: 1000, neighbours }));
  const shown: Buffer[][] = [[], [], []];
  await collect(reader.ranges({ observe: (file, _at, bytes) => shown[file]?.push(Buffer.from(bytes)) }));
  const all = [mixed, neighbours['a-s001.vmdk'], neighbours['a-flat.vmdk']];
  expect(shown.map((parts, file) => Buffer.concat(parts).equals(all[file] ?? noise))).toEqual([true, true, true]);
});

test('a content id of many files stays short', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `disk-f${String(index).padStart(3, '0')}.vmdk`);
  const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(512)]));
  await using reader = await openVmdk(
    new MemoryDiskFiles(lines(...names.map((name) => `RW 1 FLAT "${name}" 0`)), { neighbours: files }),
  );
  expect(reader.contentId.length).toBeLessThan(200);
});

test('a disk of holes only has all its leaves closed by ranges without bytes', async () => {
  await using reader = await openVmdk(new MemoryDiskFiles(lines('RW 99999 ZERO')));
  expect(await collect(reader.ranges())).toEqual([
    { file: 0, fileOffset: 0, fileBytes: 0, pieces: [], closesLeaves: [{ first: 0, count: 13 }] },
  ]);
  expect(reader.allocation).toEqual({ kind: 'exact', bytes: 0 });
});

describe('bad descriptors and extents', () => {
  const one = (line: string, file: Uint8Array) => ({ main: lines(line), neighbours: { 'a.vmdk': file } });

  test.each<[string, { main: Uint8Array; neighbours?: Record<string, Uint8Array> }, string]>([
    ['an extent that is not there', { main: lines('RW 9 FLAT "gone.vmdk" 0') }, 'DiskFileMissing'],
    ['an extent with a path', { main: lines('RW 9 FLAT "../a.vmdk" 0') }, 'ArchiveMemberUnsafe'],
    ['no extents', { main: lines() }, 'DiskImageCorrupt'],
    ['itself as an extent', { main: lines('RW 9 FLAT "disk.vmdk" 0') }, 'DiskImageCorrupt'],
    [
      'a flat extent that is too short',
      one('RW 9 FLAT "a.vmdk" 0', noise.subarray(0, 9 * 512 - 1)),
      'DiskImageTruncated',
    ],
    ['flat extents that overlap', one('RW 9 FLAT "a.vmdk" 0\nRW 9 FLAT "a.vmdk" 8', noise), 'DiskImageCorrupt'],
    [
      'a sparse extent twice',
      one('RW 10240 SPARSE "a.vmdk"\nRW 10240 SPARSE "a.vmdk"', sparse.bytes),
      'DiskImageCorrupt',
    ],
    ['a sparse extent that is smaller', one('RW 10241 SPARSE "a.vmdk"', sparse.bytes), 'DiskImageCorrupt'],
    ['a sparse extent that is larger', one('RW 10112 SPARSE "a.vmdk"', sparse.bytes), 'DiskImageCorrupt'],
    ['a sparse extent without a header', one('RW 9 SPARSE "a.vmdk"', noise), 'DiskImageCorrupt'],
    [
      'a sparse extent that is a snapshot',
      one('RW 9 SPARSE "a.vmdk"', Buffer.from('COWD\u0001\0\0\0'.padEnd(600))),
      'DiskHasParent',
    ],
    ['an empty sparse extent', one('RW 9 SPARSE "a.vmdk"', new Uint8Array(0)), 'DiskImageTruncated'],
    [
      'a compressed extent that is not the first',
      one('RW 9 ZERO\nRW 10240 SPARSE "a.vmdk"', buildSparse({ ...sparseSpec, compressed: true }).bytes),
      'DiskFormatUnsupported',
    ],
    ['more than 1 MiB of text', { main: Buffer.concat([lines(), Buffer.alloc(MIB, '#')]) }, 'DiskImageCorrupt'],
  ])('%s', async (_what, { main, neighbours: files = {} }, code) => {
    for (const mode of modes) expect(await refusal(main, { ...mode, neighbours: files })).toBe(code);
  });
});
