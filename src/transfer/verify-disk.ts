import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { CompareOptions, DifferingRange, DiskDigest, ReadableDisk } from '../ports/transfer.ts';
import { DigestTree, digestLeaf, leafBytes } from './digest-tree.ts';

/** Sections that a report names; few enough for a small file, many enough to find a difference. */
const MAX_SECTIONS = 256;

/** Reads a whole disk and computes its digest tree. Memory: one leaf, and the tree. */
export async function digestDisk(
  disk: ReadableDisk,
  options: CallOptions & { readonly onLeaf?: (leaf: number, digest: Uint8Array) => void } = {},
): Promise<DigestTree> {
  const tree = new DigestTree(disk.virtualSizeBytes);
  const buffer = Buffer.allocUnsafeSlow(LEAF_BYTES);
  for (let leaf = 0; leaf < tree.leafCount; leaf += 1) {
    options.signal?.throwIfAborted();
    const bytes = buffer.subarray(0, leafBytes(disk.virtualSizeBytes, leaf));
    await disk.read(leaf * LEAF_BYTES, bytes);
    const digest = digestLeaf(bytes);
    tree.setLeaf(leaf, digest);
    options.onLeaf?.(leaf, digest);
  }
  return tree;
}

/** Where two trees over the same disk differ: leaf by leaf where `expected` knows leaves, else by the subtrees it knows. */
export function findDifferences(expected: DigestTree, actual: DigestTree): DifferingRange[] {
  const ranges: DifferingRange[] = [];
  for (const { level, index } of expected.completeSubtrees())
    collectDifferences(expected, actual, level, index, ranges);
  return mergeNeighbours(ranges);
}

/** The digests that a report keeps. */
export function digestOf(tree: DigestTree): DiskDigest {
  const level = Math.max(0, tree.topLevel - Math.log2(MAX_SECTIONS));
  const count = Math.ceil(tree.leafCount / 2 ** level);
  const sections = Array.from({ length: count }, (_, index) => toHex(tree.node(level, index)));
  return { root: toHex(tree.root()), sectionBytes: LEAF_BYTES * 2 ** level, sections };
}

/** Reads a disk and tells where it differs from what a report says. */
export async function compareDisk(
  disk: ReadableDisk,
  expected: DiskDigest,
  options: CompareOptions = {},
): Promise<DifferingRange[]> {
  const { signal, onProgress } = options;
  const total = disk.virtualSizeBytes;
  const tree = await digestDisk(disk, {
    signal,
    onLeaf: (leaf) => onProgress?.(Math.min(total, (leaf + 1) * LEAF_BYTES), total),
  });
  const actual = digestOf(tree);
  if (actual.root === expected.root) return [];
  const ranges = actual.sections.flatMap((section, index) => {
    const offset = index * actual.sectionBytes;
    return section === expected.sections[index]
      ? []
      : [{ offset, length: Math.min(actual.sectionBytes, total - offset) }];
  });
  // Equal sections under another root: the report itself was altered, so nothing of the disk is vouched for.
  return ranges.length > 0 ? mergeNeighbours(ranges) : [{ offset: 0, length: total }];
}

export function failVerification(diskName: string, ranges: readonly DifferingRange[]): never {
  const named = ranges.slice(0, 8).map(({ offset, length }) => `bytes ${offset} to ${offset + length - 1}`);
  const more = ranges.length > named.length ? ` and ${ranges.length - named.length} more ranges` : '';
  throw new ProblemError('VerificationFailed', `${diskName} differs in ${named.join(', ')}${more}`, {
    context: { disk: diskName, firstOffset: ranges[0]?.offset, ranges: ranges.length },
  });
}

function toHex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}

function collectDifferences(
  expected: DigestTree,
  actual: DigestTree,
  level: number,
  index: number,
  ranges: DifferingRange[],
): void {
  if (Buffer.compare(expected.node(level, index), actual.node(level, index)) === 0) return;
  const [first, end] = expected.leafSpan(level, index);
  if (level > 0 && expected.hasNodesBelow(level, index)) {
    collectDifferences(expected, actual, level - 1, index * 2, ranges);
    const [firstRight] = expected.leafSpan(level - 1, index * 2 + 1);
    if (firstRight < expected.leafCount) collectDifferences(expected, actual, level - 1, index * 2 + 1, ranges);
    return;
  }
  const offset = first * LEAF_BYTES;
  ranges.push({ offset, length: Math.min(end * LEAF_BYTES, expected.virtualSizeBytes) - offset });
}

function mergeNeighbours(ranges: readonly DifferingRange[]): DifferingRange[] {
  const merged: DifferingRange[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && last.offset + last.length === range.offset) {
      merged[merged.length - 1] = { offset: last.offset, length: last.length + range.length };
    } else merged.push(range);
  }
  return merged;
}
