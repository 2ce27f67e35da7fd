import { describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { DigestTree } from '../transfer/digest-tree.ts';
import { digestOf } from '../transfer/verify-disk.ts';
import type { DiskReport } from './import-report.ts';
import { findDigestProblem } from './report-digest.ts';

/** The digest of a disk whose leaves all differ. */
function reportOf(leaves: number): DiskReport {
  const virtualSizeBytes = leaves * LEAF_BYTES - 512;
  const tree = new DigestTree(virtualSizeBytes);
  for (let leaf = 0; leaf < leaves; leaf += 1) {
    const digest = Buffer.alloc(32);
    digest.writeUInt32LE(leaf, 0);
    tree.setLeaf(leaf, digest);
  }
  return { file: 'disk-0.raw', virtualSizeBytes, digest: digestOf(tree) } as DiskReport;
}
type Digest = NonNullable<DiskReport['digest']>;

describe('findDigestProblem', () => {
  test.each([1, 2, 3, 5, 8, 255, 256, 257, 1000, 1025])('accepts what an import writes of %i leaves', (leaves) => {
    expect(findDigestProblem(reportOf(leaves))).toBeUndefined();
  });

  test.each<[string, (digest: Digest) => Partial<Digest>]>([
    ['is not that of its sections', () => ({ root: 'f'.repeat(64) })],
    ['is not that of its sections', ({ sections }) => ({ sections: sections.with(200, '0'.repeat(64)) })],
    ['is not that of its sections', ({ sections }) => ({ sections: sections.toReversed() })],
    ['has 249 sections; 250 are needed', ({ sections }) => ({ sections: sections.slice(1) })],
    ['has 0 sections', () => ({ sections: [] })],
    ['sections of 5 bytes', () => ({ sectionBytes: 5 })],
    ['sections of 0 bytes', () => ({ sectionBytes: 0 })],
    ['has sections of', ({ sectionBytes }) => ({ sectionBytes: sectionBytes * 3 })],
    ['has 250 sections; 125 are needed', ({ sectionBytes }) => ({ sectionBytes: sectionBytes * 2 })],
  ])('%s', (problem, change) => {
    const disk = reportOf(1000);
    const digest = disk.digest ?? expect.fail('it has one');
    expect(findDigestProblem({ ...disk, digest: { ...digest, ...change(digest) } })).toContain(problem);
  });

  test('says nothing of a disk that was not verified', () => {
    const { digest: _, ...without } = reportOf(3);
    expect(findDigestProblem(without)).toBeUndefined();
  });
});
