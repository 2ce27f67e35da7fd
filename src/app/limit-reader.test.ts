import { expect, test } from 'vitest';
import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { buildSyntheticDisk, syntheticReader } from '../testing/synthetic-disk.ts';
import { limitReader } from './limit-reader.ts';

const disk = buildSyntheticDisk({ virtualSizeBytes: 6 * LEAF_BYTES, density: 0.5 });

test.each([2 * LEAF_BYTES, 2 * LEAF_BYTES + 1000, 512])('of %i bytes only what is in them is told', async (end) => {
  const limited = limitReader(syntheticReader(disk), end);
  expect(limited.virtualSizeBytes).toBe(end);
  const pieces: number[] = [];
  let lastLeaf = 0;
  for await (const range of limited.ranges()) {
    pieces.push(...range.pieces.map(({ offset }) => offset));
    for (const { first, count } of range.closesLeaves ?? []) lastLeaf = Math.max(lastLeaf, first + count);
  }
  expect(pieces).toEqual(disk.pieces.map(({ offset }) => offset).filter((offset) => offset < end));
  expect(lastLeaf).toBe(Math.ceil(end / LEAF_BYTES));
});

test('a disk of the right size, or a shorter one, is left as it is', () => {
  const reader = syntheticReader(disk);
  expect(limitReader(reader, 6 * LEAF_BYTES)).toBe(reader);
  expect(limitReader(reader, 7 * LEAF_BYTES)).toBe(reader);
});
