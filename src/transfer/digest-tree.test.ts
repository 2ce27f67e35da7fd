import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import { DigestTree, digestLeaf, zeroLeafDigest } from './digest-tree.ts';

const sha = (...parts: Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const leaf = (fill: number) => sha(Buffer.from([fill]));

describe('DigestTree', () => {
  test('is a Merkle tree with marked levels: three leaves are node(node(a, b), c)', () => {
    const tree = new DigestTree(3 * LEAF_BYTES);
    tree.setLeaf(2, leaf(3));
    tree.setLeaf(0, leaf(1));
    tree.setLeaf(1, leaf(2));
    const one = Buffer.from([1]);
    expect(Buffer.from(tree.root())).toEqual(sha(one, sha(one, leaf(1), leaf(2)), leaf(3)));
  });

  test.each([1, 2, 3, 5, 8, 13, 64, 100, 257])('gives the same root from subtrees as from all %i leaves', (count) => {
    const whole = new DigestTree(count * LEAF_BYTES - 1);
    for (let index = 0; index < count; index += 1) whole.setLeaf(index, leaf(index % 256));
    for (const known of [0, 1, Math.floor(count / 3), count - 1, count]) {
      const first = new DigestTree(count * LEAF_BYTES - 1);
      for (let index = 0; index < known; index += 1) first.setLeaf(index, leaf(index % 256));
      const resumed = new DigestTree(count * LEAF_BYTES - 1);
      for (const subtree of first.completeSubtrees()) resumed.addSubtree(subtree);
      expect(resumed.knownLeaves).toBe(known);
      for (let index = known; index < count; index += 1) resumed.setLeaf(index, leaf(index % 256));
      expect(resumed.root()).toEqual(whole.root());
    }
  });

  test('names few subtrees for a disk that is done up to somewhere', () => {
    const tree = new DigestTree(2 ** 40);
    for (let index = 0; index < 200_000; index += 1) tree.setLeaf(index, zeroLeafDigest(LEAF_BYTES));
    expect(tree.completeSubtrees().length).toBeLessThanOrEqual(18);
  });

  test('a missing leaf has no root', () => {
    const tree = new DigestTree(2 * LEAF_BYTES);
    tree.setLeaf(0, leaf(0));
    expect(() => tree.root()).toThrow('leaf 1');
  });
});

describe('digestLeaf', () => {
  test.each([1, 511, BLOCK_BYTES, BLOCK_BYTES + 1, LEAF_BYTES])(
    '%i zero bytes have the constant digest of a hole',
    (length) => {
      expect(digestLeaf(new Uint8Array(length))).toEqual(zeroLeafDigest(length));
    },
  );

  test('hashes blocks of 64 KiB and then their digests, as docs/contracts/disk.md says', () => {
    const bytes = Buffer.alloc(BLOCK_BYTES + 10, 7);
    const blocks = [bytes.subarray(0, BLOCK_BYTES), bytes.subarray(BLOCK_BYTES)].map((block) => sha(block));
    expect(Buffer.from(digestLeaf(bytes))).toEqual(sha(Buffer.from([0]), ...blocks));
  });

  test('a zero block of another length is another content', () => {
    expect(zeroLeafDigest(512)).not.toEqual(zeroLeafDigest(1024));
  });
});
