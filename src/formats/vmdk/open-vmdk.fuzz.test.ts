import { describe, expect, test } from 'vitest';
import type { DiskReader } from '../../ports/disk-reader.ts';
import { decodeRanges } from '../../testing/apply-disk-reader.ts';
import { fuzz } from '../../testing/fuzz.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { buildSparse, MemoryDiskFiles, type SparseSpec } from '../../testing/vmdk-builder.ts';
import { decodePiece } from '../decode-piece.ts';
import { parseDescriptor } from './descriptor.ts';
import { openVmdk } from './open-vmdk.ts';

const KIB = 1024;
const random = seededRandom(3);
const grains = (...indexes: number[]) => new Map(indexes.map((index) => [index, randomBytes(random, 300)]));
const small = { virtualSizeBytes: 2300 * KIB, grainBytes: 4096, entriesPerTable: 128 };
const specs: SparseSpec[] = [
  { ...small, compressed: true, tables: 'behind', grains: grains(0, 1, 127, 128, 500, 574) },
  { ...small, compressed: true, tables: 'end', grains: grains(130, 3, 1) },
  { ...small, compressed: true, tables: 'front', grains: grains(5, 0, 300), zeroed: [7] },
  { ...small, grains: grains(0, 5, 300), zeroed: [6] },
  { ...small, grains: grains(300, 5, 0) },
];
const sparse = specs.map((spec) => buildSparse(spec).bytes);
const extent = buildSparse({ ...small, descriptor: '', grains: grains(0, 9) }).bytes;
const described = new TextEncoder().encode(
  `# Disk DescriptorFile\nversion=1\nCID=aabbccdd\nparentCID=ffffffff\nencoding="UTF-8"\ncreateType="custom"\nRW ${small.virtualSizeBytes / 512} SPARSE "s.vmdk"\nRW 9 ZERO\nRW 30 FLAT "f.vmdk" 2\nRW 2 FLAT "f.vmdk" 0\n`,
);
const neighbours = { 's.vmdk': extent, 'f.vmdk': randomBytes(random, 32 * 512) };

/** Reads to the end, unless the damaged size makes a test's bookkeeping too large; a breach of the contract is an ordinary error and so fails. */
async function readAll(reader: DiskReader): Promise<void> {
  for await (const _piece of decodeRanges(reader, decodePiece));
}

describe('fuzz: vmdk', () => {
  const hot = [
    { from: 0, to: 80 },
    { from: 512, to: 700 },
    { from: 21 * 512, to: 30 * 512 },
  ];

  test.each([{ ranged: true }, { ranged: false }])('sparse images %j', { timeout: 900_000 }, async (mode) => {
    const result = await fuzz(`vmdk ${JSON.stringify(mode)}`, {
      seeds: sparse,
      hot,
      run: async (input) => {
        const files = new MemoryDiskFiles(input, { ...mode, neighbours });
        try {
          await using reader = await openVmdk(files);
          await readAll(reader);
        } finally {
          expect(files.opened.map((file) => [file.isDisposed, file.openStreams])).toEqual(
            files.opened.map(() => [true, 0]),
          );
        }
      },
    });
    console.info('vmdk sparse', mode, result);
    expect(result.cases).toBeGreaterThan(0);
  });

  test('descriptor files', { timeout: 900_000 }, async () => {
    const result = await fuzz('vmdk descriptor file', {
      seeds: [described],
      run: async (input) => {
        await using reader = await openVmdk(new MemoryDiskFiles(input, { neighbours }));
        await readAll(reader);
      },
    });
    console.info('vmdk descriptor file', result);
  });

  test('extents beside a descriptor', { timeout: 900_000 }, async () => {
    const result = await fuzz('vmdk extent', {
      seeds: [extent],
      hot,
      run: async (input) => {
        await using reader = await openVmdk(
          new MemoryDiskFiles(described, { neighbours: { ...neighbours, 's.vmdk': input } }),
        );
        await readAll(reader);
      },
    });
    console.info('vmdk extent', result);
  });

  test('descriptor text', { timeout: 900_000 }, async () => {
    const result = await fuzz('vmdk descriptor', { seeds: [described], run: (input) => parseDescriptor(input, 'x') });
    console.info('vmdk descriptor', result);
  });
});
