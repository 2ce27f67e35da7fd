import { expect, test } from 'vitest';
import { buildSyntheticDisk, syntheticReader } from '../../testing/synthetic-disk.ts';
import { PieceIndex } from './piece-index.ts';
import { surveyDisk } from './survey-disk.ts';

const MIB = 2 ** 20;

test('the disk is cut where a section would hold too many pieces, and nothing is left out', async () => {
  const disk = buildSyntheticDisk({ virtualSizeBytes: 60 * MIB, density: 0.6, order: 'shuffled' });
  const reader = syntheticReader(disk);
  const survey = await surveyDisk(reader, { piecesPerSection: 100 });
  expect(survey.sections.length).toBeGreaterThan(4);
  expect(survey.sections[0]?.first).toBe(0);
  expect(survey.sections.at(-1)?.end).toBe(15);
  for (const [at, { end }] of survey.sections.entries()) expect(survey.sections[at + 1]?.first ?? 15).toBe(end);
  let pieces = 0;
  for (const section of survey.sections) {
    const index = await PieceIndex.build(reader, section);
    expect(index.count).toBeLessThanOrEqual(100);
    pieces += index.count;
  }
  expect(pieces).toBe(disk.pieces.length);
  expect(survey.allocated.count).toBe(disk.pieces.length);
});

test('a leaf has the pieces that hold any of it, by their place in the file', async () => {
  const disk = buildSyntheticDisk({ virtualSizeBytes: 12 * MIB, density: 0.6, order: 'shuffled' });
  const index = await PieceIndex.build(syntheticReader(disk), { first: 0, end: 3 });
  for (const leaf of [0, 1, 2]) {
    const expected = disk.pieces.filter(({ offset }) => Math.floor(offset / (4 * MIB)) === leaf);
    expect(index.piecesOf(leaf)).toEqual(expected.map((piece) => ({ ...piece, file: 0 })));
  }
});
