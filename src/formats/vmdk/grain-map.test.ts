import { describe, expect, test } from 'vitest';
import type { RangedFile } from './extent.ts';
import { GrainMap, NOT_A_GRAIN } from './grain-map.ts';
import { GrainTables, TableCache } from './grain-tables.ts';
import type { SparseHeader } from './layout.ts';

const GRAIN = 65_536;
const TABLE = 2048;

/** A file that exists only as a rule: directory at sector 1, tables behind it, grain n at the place `placeOf(n)` in units of grains behind the tables. */
function imaginaryFile(tableCount: number, placeOf: (grain: number) => number) {
  const tablesAt = 512 + Math.ceil((tableCount * 4) / 512) * 512;
  const dataOffset = tablesAt + tableCount * TABLE;
  const grainCount = tableCount * 512;
  let reads = 0;
  const file: RangedFile = {
    name: 'imaginary.vmdk',
    sizeBytes: dataOffset + grainCount * GRAIN,
    read: async (offset, length) => {
      reads += 1;
      const entries = new Uint32Array(length / 4);
      const isDirectory = offset < tablesAt;
      const first = (offset - (isDirectory ? 512 : tablesAt)) / 4;
      for (let at = 0; at < entries.length; at += 1) {
        const place = isDirectory ? tablesAt + (first + at) * TABLE : dataOffset + placeOf(first + at) * GRAIN;
        entries[at] = place / 512;
      }
      return new Uint8Array(entries.buffer);
    },
  };
  const header: SparseHeader = {
    version: 1,
    capacityBytes: grainCount * GRAIN,
    grainBytes: GRAIN,
    entriesPerTable: 512,
    tableBytes: TABLE,
    tableCount,
    descriptorOffset: 0,
    descriptorBytes: 0,
    directoryOffset: 512,
    dataOffset,
    hasZeroedGrains: false,
    isCompressed: false,
  };
  return { file, header, grainCount, dataOffset, readCount: () => reads };
}

async function openMap(image: ReturnType<typeof imaginaryFile>) {
  const tables = new GrainTables(image.file, image.header, 512, new TableCache());
  return await GrainMap.open(tables, { sizeBytes: image.header.capacityBytes, onGrain: () => {} });
}

describe('GrainMap', () => {
  test('small maps are read once; large ones again for each walk', async () => {
    const small = imaginaryFile(64, (grain) => grain);
    const map = await openMap(small);
    const reads = small.readCount();
    for await (const _batch of map.inFileOrder({}));
    expect(small.readCount()).toBe(reads);

    const large = imaginaryFile(8300, (grain) => grain);
    const largeMap = await openMap(large);
    const before = large.readCount();
    for await (const batch of largeMap.inFileOrder({})) {
      expect(batch.count).toBe(512);
      break;
    }
    expect(large.readCount()).toBeGreaterThan(before);
  });

  test('two million grains in reverse order come in file order, a bucket at a time', async () => {
    const image = imaginaryFile(4000, (grain) => 4000 * 512 - 1 - grain);
    const map = await openMap(image);
    let next = image.dataOffset / 512;
    let expectedGrain = image.grainCount - 1;
    let largest = 0;
    for await (const { sectors, grains, count } of map.inFileOrder({})) {
      largest = Math.max(largest, count);
      for (let at = 0; at < count; at += 1) {
        if (sectors[at] !== next || grains[at] !== expectedGrain) {
          throw new Error(`grain ${grains[at]} at ${sectors[at]}; ${expectedGrain} at ${next} was expected`);
        }
        next += 128;
        expectedGrain -= 1;
      }
    }
    expect(expectedGrain).toBe(-1);
    expect(largest).toBeLessThan(1_100_000);
  });

  test('tables that all point to one grain are refused while they are counted', async () => {
    await expect(openMap(imaginaryFile(1000, () => 0))).rejects.toMatchObject({
      code: 'DiskImageCorrupt',
      message: expect.stringContaining('overlapping'),
    });
  });

  test('a map without grains yields none', async () => {
    const image = imaginaryFile(4, (grain) => grain);
    const empty = { ...image.file, read: async (_offset: number, length: number) => new Uint8Array(length) };
    const map = await openMap({ ...image, file: empty });
    for await (const _batch of map.inFileOrder({})) throw new Error('there is none');
    expect([map.grainCount, NOT_A_GRAIN]).toEqual([0, -1]);
  });
});
