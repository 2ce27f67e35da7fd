import { describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import { MAX_RANGE_BYTES } from '../../ports/disk-reader.ts';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import {
  type BuiltSparse,
  buildSparse,
  contentOf,
  MemoryDiskFiles,
  type SparseSpec,
} from '../../testing/vmdk-builder.ts';
import { decodePiece } from '../decode-piece.ts';
import { openVmdk } from './open-vmdk.ts';

const MIB = 2 ** 20;
const random = seededRandom(5);
const grain = (seed: number) => randomBytes(random, 4096).fill(seed, 100);
const inOrder = (...indexes: number[]) => new Map(indexes.map((index) => [index, grain(index % 251)]));

/** 70 MiB: three tables, the last grain cut short; grains in order of address or not. */
const sizeBytes = 70 * MIB + 512;
const rising = inOrder(0, 1, 5, 511, 512, 700, 1023, 1120);
const shuffled = inOrder(700, 0, 1120, 5, 1, 1023, 512, 511);
const layouts: Record<string, Omit<SparseSpec, 'virtualSizeBytes'>> = {
  'streamOptimized, tables behind their grains': { compressed: true, tables: 'behind', grains: rising },
  'streamOptimized, tables at the end': { compressed: true, tables: 'end', grains: rising },
  'streamOptimized, tables in front': { compressed: true, tables: 'front', grains: rising },
  'streamOptimized without an end marker, tables in front': {
    compressed: true,
    tables: 'front',
    hasEndMarker: false,
    grains: rising,
  },
  'streamOptimized, directory named in the header': {
    compressed: true,
    tables: 'behind',
    directoryInHeader: true,
    grains: rising,
  },
  'streamOptimized in any order, tables in front': { compressed: true, tables: 'front', grains: shuffled },
  'streamOptimized in any order, tables behind': { compressed: true, tables: 'behind', grains: shuffled },
  'streamOptimized in any order, tables at the end': { compressed: true, tables: 'end', grains: shuffled },
  'streamOptimized in small grains': {
    compressed: true,
    tables: 'behind',
    grainBytes: 4096,
    entriesPerTable: 128,
    grains: inOrder(0, 127, 128, 17_000),
  },
  monolithicSparse: { grains: rising, zeroed: [2, 600] },
};
/** Nothing in the stream tells what passes; random access is needed. */
const rangedOnly: typeof layouts = {
  'monolithicSparse in any order': { grains: shuffled },
  'monolithicSparse, tables at the end': { tables: 'end', directoryInHeader: true, grains: rising },
};
const spec = (layout: Omit<SparseSpec, 'virtualSizeBytes'>) => ({ ...layout, virtualSizeBytes: sizeBytes });
const forward = { ranged: false } as const;

async function read(files: MemoryDiskFiles): Promise<Buffer> {
  await using reader = await openVmdk(files);
  return await readWholeDisk(reader, decodePiece);
}

/** What becomes of an image after some bytes of it were changed. */
async function outcome(bytes: Uint8Array, options: { ranged?: boolean } = {}): Promise<string> {
  const files = new MemoryDiskFiles(bytes, options);
  try {
    await read(files);
    return 'read';
  } catch (error) {
    expect(files.main.isDisposed).toBe(true);
    expect(files.main.openStreams).toBe(0);
    return (error as { code?: string }).code ?? String(error);
  }
}

function damaged(built: BuiltSparse, change: (view: DataView) => void): Uint8Array {
  const bytes = built.bytes.slice();
  change(new DataView(bytes.buffer));
  return bytes;
}

describe.each(Object.entries(layouts))('%s', (_name, layout) => {
  const built = buildSparse(spec(layout));
  const content = contentOf(spec(layout));

  test('reads the same with random access and in order', async () => {
    expect((await read(new MemoryDiskFiles(built.bytes))).equals(content)).toBe(true);
    expect((await read(new MemoryDiskFiles(built.bytes, forward))).equals(content)).toBe(true);
  });

  test.each([1, 7, 511, 512, 513, 10 * MIB])('reads the same when bytes arrive %i at a time', async (pieceBytes) => {
    // Byte by byte only where that is not half a million awaits.
    const files = new MemoryDiskFiles(built.bytes, {
      ...forward,
      pieceBytes: built.bytes.length > 200_000 ? Math.max(7, pieceBytes) : pieceBytes,
    });
    expect((await read(files)).equals(content)).toBe(true);
    expect(files.main.openStreams).toBe(0);
  });

  test('zeroes after the end are padding, also for finding the footer', async () => {
    const padded = new Uint8Array(built.bytes.length + 65_536);
    padded.set(built.bytes);
    expect((await read(new MemoryDiskFiles(padded))).equals(content)).toBe(true);
    expect((await read(new MemoryDiskFiles(padded, forward))).equals(content)).toBe(true);
  });

  test('a file cut anywhere is truncated', async () => {
    const { bytes } = built;
    const cuts = [
      100,
      512,
      5000,
      21 * 512,
      22 * 512 + 3,
      built.directoryAt + 1,
      built.footerAt,
      ...built.tableAt.values(),
    ]
      .concat([...built.grainAt.values()].flatMap((at) => [at, at + 5, at + 100]))
      .filter((at) => at > 0 && at < bytes.length - 512);
    for (const cut of cuts) {
      for (const options of [{}, forward]) {
        const result = await outcome(bytes.subarray(0, cut), options);
        expect(result, `cut at ${cut} of ${bytes.length}, ${JSON.stringify(options)}`).toBe('DiskImageTruncated');
      }
    }
  });

  test('in order, every byte is shown to the observer', async () => {
    await using reader = await openVmdk(new MemoryDiskFiles(built.bytes, forward));
    const shown: Buffer[] = [];
    const observe = (file: number, at: number, bytes: Uint8Array) => {
      expect([file, at]).toEqual([0, Buffer.concat(shown).length]);
      shown.push(Buffer.from(bytes));
    };
    await collect(reader.ranges({ observe }));
    expect(Buffer.concat(shown).equals(built.bytes)).toBe(true);
  });

  test.each([{}, forward])('leaves that are not wanted are left out %j', async (options) => {
    await using reader = await openVmdk(new MemoryDiskFiles(built.bytes, options));
    const wants = (leaf: number) => leaf % 2 === 0;
    const disk = await readWholeDisk(reader, decodePiece, { wants });
    const expected = Buffer.from(content);
    for (let at = LEAF_BYTES; at < sizeBytes; at += 2 * LEAF_BYTES)
      expected.fill(0, at, Math.min(sizeBytes, at + LEAF_BYTES));
    expect(disk.equals(expected)).toBe(true);
    // A second reading of the same reader starts anew.
    expect((await readWholeDisk(reader, decodePiece)).equals(content)).toBe(true);
  });

  test('with random access the allocation is exact and all leaves are closed', async () => {
    await using reader = await openVmdk(new MemoryDiskFiles(built.bytes));
    const ranges = await collect(reader.ranges());
    const pieces = ranges.flatMap((range) => range.pieces);
    expect(reader.allocation).toEqual({ kind: 'exact', bytes: pieces.reduce((sum, piece) => sum + piece.length, 0) });
    const closed = ranges.flatMap((range) => range.closesLeaves ?? []).reduce((sum, run) => sum + run.count, 0);
    expect(closed).toBe(Math.ceil(sizeBytes / LEAF_BYTES));
    for (const range of ranges) expect(range.fileBytes).toBeLessThanOrEqual(MAX_RANGE_BYTES);
  });

  test.each([{}, forward])('stopping early closes the source; an abort stops it %j', async (options) => {
    const files = new MemoryDiskFiles(built.bytes, { ...options, pieceBytes: 512 });
    await using reader = await openVmdk(files);
    for await (const { pieces } of reader.ranges()) if (pieces.length > 0) break;
    expect(files.main.openStreams).toBe(0);

    const abort = new AbortController();
    const reading = (async () => {
      for await (const _range of reader.ranges({ signal: abort.signal })) abort.abort(new Error('enough'));
      throw new Error('not stopped');
    })();
    await expect(reading).rejects.toThrow('enough');
    expect(files.main.openStreams).toBe(0);
  });
});

describe.each(Object.entries(rangedOnly))('%s', (_name, layout) => {
  test('needs random access', async () => {
    const { bytes } = buildSparse(spec(layout));
    expect((await read(new MemoryDiskFiles(bytes))).equals(contentOf(spec(layout)))).toBe(true);
    expect(await outcome(bytes, forward)).toBe('SourceRangesRequired');
  });
});

describe('with tables behind their grains, in order', () => {
  const layout = spec({ compressed: true, tables: 'behind', grains: rising });
  const { bytes } = buildSparse(layout);

  test('a table closes exactly the leaves it covers, not before', async () => {
    await using reader = await openVmdk(new MemoryDiskFiles(bytes, forward));
    expect(reader.allocation).toEqual({ kind: 'unknown' });
    const closed = (await collect(reader.ranges())).flatMap((range) => range.closesLeaves ?? []);
    expect(closed).toEqual([{ first: 0, count: 18 }]);
  });
});

describe('bad images', () => {
  const behind = buildSparse(spec({ compressed: true, tables: 'behind', grains: rising }));
  const front = buildSparse(spec({ compressed: true, tables: 'front', grains: rising }));
  const plain = buildSparse(spec({ grains: rising }));
  const entryAt = (built: BuiltSparse, index: number) =>
    (built.tableAt.get(Math.floor(index / 512)) ?? 0) + (index % 512) * 4;
  const at = (built: BuiltSparse, index: number) => built.grainAt.get(index) ?? 0;
  const corrupt = 'DiskImageCorrupt';

  test.each<[string, Uint8Array, string, string]>([
    [
      'a grain far outside the file',
      damaged(plain, (view) => view.setUint32(entryAt(plain, 5), 0xffff_fff0, true)),
      corrupt,
      'SourceRangesRequired',
    ],
    [
      'a grain just outside the file',
      damaged(plain, (view) => view.setUint32(entryAt(plain, 1120), plain.bytes.length / 512 + 40, true)),
      'DiskImageTruncated',
      'DiskImageTruncated',
    ],
    ['a grain in the header', damaged(plain, (view) => view.setUint32(entryAt(plain, 5), 2, true)), corrupt, corrupt],
    [
      'a grain in its own table',
      damaged(plain, (view) => view.setUint32(entryAt(plain, 5), entryAt(plain, 5) / 512, true)),
      corrupt,
      corrupt,
    ],
    [
      'a grain that two addresses share',
      damaged(plain, (view) => view.setUint32(entryAt(plain, 5), at(plain, 1) / 512, true)),
      corrupt,
      'SourceRangesRequired',
    ],
    [
      'grains that overlap by a sector',
      damaged(plain, (view) => view.setUint32(entryAt(plain, 5), at(plain, 5) / 512 - 1, true)),
      corrupt,
      'SourceRangesRequired',
    ],
    [
      'a table outside the file',
      damaged(plain, (view) => view.setUint32(plain.directoryAt, 0xffff_ff00, true)),
      corrupt,
      'SourceRangesRequired',
    ],
    [
      'a table that is the directory',
      damaged(plain, (view) => view.setUint32(plain.directoryAt, plain.directoryAt / 512, true)),
      corrupt,
      'SourceRangesRequired',
    ],
    [
      'a table that is the descriptor',
      damaged(plain, (view) => view.setUint32(plain.directoryAt, 1, true)),
      corrupt,
      'SourceRangesRequired',
    ],
    [
      'two tables in one place',
      damaged(plain, (view) => view.setUint32(plain.directoryAt, (plain.tableAt.get(1) ?? 0) / 512, true)),
      corrupt,
      'SourceRangesRequired',
    ],
    [
      'a grain beyond the disk',
      damaged(plain, (view) => view.setUint32(entryAt(plain, 1125), 999, true)),
      corrupt,
      corrupt,
    ],
    [
      'a table that leaves a grain out',
      damaged(behind, (view) => view.setUint32(entryAt(behind, 5), 0, true)),
      'read',
      corrupt,
    ],
    [
      'a table that gives a grain another address',
      damaged(behind, (view) => {
        view.setUint32(entryAt(behind, 5), 0, true);
        view.setUint32(entryAt(behind, 6), at(behind, 5) / 512, true);
      }),
      corrupt,
      corrupt,
    ],
    [
      'a table in front that gives a grain another address',
      damaged(front, (view) => {
        view.setUint32(entryAt(front, 5), 0, true);
        view.setUint32(entryAt(front, 6), at(front, 5) / 512, true);
      }),
      corrupt,
      corrupt,
    ],
    [
      'a marker that claims another address',
      damaged(behind, (view) => view.setBigUint64(at(behind, 5), 6n * 128n, true)),
      corrupt,
      corrupt,
    ],
    [
      'a marker inside a grain',
      damaged(behind, (view) => view.setBigUint64(at(behind, 5), 641n, true)),
      corrupt,
      corrupt,
    ],
    [
      'a marker beyond the disk',
      damaged(behind, (view) => view.setBigUint64(at(behind, 5), 2n ** 40n, true)),
      corrupt,
      corrupt,
    ],
    [
      'a marker that claims 2 GiB',
      damaged(behind, (view) => view.setUint32(at(behind, 5) + 8, 2 ** 31, true)),
      corrupt,
      corrupt,
    ],
    ['a grain twice', damaged(behind, (view) => view.setBigUint64(at(behind, 1), 0n, true)), corrupt, corrupt],
    [
      'a marker of an unknown type',
      damaged(behind, (view) => view.setUint32((behind.tableAt.get(0) ?? 0) - 500, 7, true)),
      'read',
      corrupt,
    ],
    [
      'a table of another size',
      damaged(behind, (view) => view.setUint32((behind.tableAt.get(0) ?? 0) - 512, 5, true)),
      'read',
      corrupt,
    ],
    [
      'a footer of another disk',
      damaged(behind, (view) => view.setBigUint64(behind.footerAt + 12, 999n, true)),
      corrupt,
      corrupt,
    ],
    [
      'a footer without a directory',
      damaged(behind, (view) => view.setBigUint64(behind.footerAt + 56, 2n ** 64n - 1n, true)),
      corrupt,
      'read',
    ],
    [
      'a directory far outside the file',
      damaged(behind, (view) => view.setBigUint64(behind.footerAt + 56, 2n ** 40n, true)),
      corrupt,
      'read',
    ],
  ])('%s', async (_what, bytes, ranged, ordered) => {
    expect(await outcome(bytes)).toBe(ranged);
    expect(await outcome(bytes, forward)).toBe(ordered);
  });

  test('a grain after the table that left it out is refused', async () => {
    const swapped = inOrder(0, 1, 600, 5);
    const { bytes, tableAt, grainAt } = buildSparse(spec({ compressed: true, tables: 'end', grains: swapped }));
    // Table 0 is repeated before grain 5, where grain 600 was, with grain 5 left out.
    const table = bytes.slice((tableAt.get(0) ?? 0) - 512, (tableAt.get(0) ?? 0) + 2048);
    new DataView(table.buffer).setUint32(512 + 5 * 4, 0, true);
    const before = bytes.subarray(0, grainAt.get(600));
    const after = bytes.subarray(grainAt.get(5));
    expect(await outcome(Buffer.concat([before, table, after]), forward)).toBe(corrupt);
  });

  test('something after the end-of-stream marker is refused, not dropped', async () => {
    expect(await outcome(Buffer.concat([behind.bytes, new Uint8Array(511), Buffer.from('x')]), forward)).toBe(corrupt);
  });

  test('zeroed grains need their flag: otherwise a disk without an overhead lost the entry without a word (found by fuzzing)', async () => {
    const { bytes } = buildSparse(spec({ grains: rising, zeroed: [2] }));
    const view = new DataView(bytes.buffer);
    view.setUint32(8, 1, true);
    expect(await outcome(bytes)).toBe(corrupt);
    expect(await outcome(bytes, forward)).toBe(corrupt);
    view.setBigUint64(64, 0n, true);
    expect(await outcome(bytes)).toBe(corrupt);
  });

  test('a damaged redundant directory is not looked at', async () => {
    const bytes = damaged(plain, (view) => view.setBigUint64(48, 2n ** 42n, true));
    expect(await outcome(bytes)).toBe('read');
  });

  test.each([
    ['COWD\u0001\0\0\0', 'DiskHasParent'],
    ['\u00be\u00ba\u00fe\u00ca\0\0\0\0\u0001\0\0\0\u0002\0\0\0', 'DiskFormatUnsupported'],
    ['QFI\u00fb', 'DiskFormatUnknown'],
  ])('%j is refused by name', async (head, code) => {
    expect(await outcome(Buffer.from(head, 'latin1'))).toBe(code);
  });

  test.each([
    ['parentCID=11223344', 'DiskHasParent'],
    ['encryption.keySafe="x"', 'DiskEncrypted'],
    ['RW 99 SPARSE "x.vmdk"', corrupt],
    ['RW 70656 SPARSE "x.vmdk"\nRW 70656 SPARSE "y.vmdk"', corrupt],
  ])('an embedded descriptor with %j', async (line, code) => {
    const descriptor = `# Disk DescriptorFile\n${line}\n`;
    expect(await outcome(buildSparse(spec({ descriptor, grains: rising })).bytes)).toBe(code);
  });

  test('an extent of a split disk alone is not taken for a disk', async () => {
    expect(await outcome(buildSparse(spec({ descriptor: '', grains: rising })).bytes)).toBe('DiskFormatUnsupported');
  });

  test('a directory of a disk of 64 TiB in a small file costs nothing', async () => {
    const bytes = damaged(front, (view) => view.setBigUint64(12, 2n ** 37n, true));
    bytes.fill(0, 512, 10_000);
    expect(await outcome(bytes)).toBe('DiskImageTruncated');
    expect(await outcome(bytes, forward)).toBe('SourceRangesRequired');
  });
});
