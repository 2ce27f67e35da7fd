import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import { DigestTree, digestLeaf, leafBytes } from './digest-tree.ts';

/** Anything a finished disk can be read from. */
export interface ReadableDisk {
  readonly virtualSizeBytes: number;
  read(offset: number, into: Uint8Array): Promise<void>;
}

export interface DifferingRange {
  readonly offset: number;
  readonly length: number;
}

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

/** The digests of equal parts of the disk, for reports. */
export function sectionsOf(tree: DigestTree): { bytes: number; digests: string[] } {
  const level = Math.max(0, tree.topLevel - Math.log2(MAX_SECTIONS));
  const count = Math.ceil(tree.leafCount / 2 ** level);
  const digests = Array.from({ length: count }, (_, index) => toHex(tree.node(level, index)));
  return { bytes: LEAF_BYTES * 2 ** level, digests };
}

/** Where a disk differs from the sections a report gives. */
export function differingSections(
  expected: { bytes: number; digests: readonly string[] },
  tree: DigestTree,
): DifferingRange[] {
  const actual = sectionsOf(tree);
  const ranges = actual.digests.flatMap((digest, index) =>
    digest === expected.digests[index]
      ? []
      : [
          {
            offset: index * actual.bytes,
            length: Math.min(actual.bytes, tree.virtualSizeBytes - index * actual.bytes),
          },
        ],
  );
  return mergeNeighbours(ranges);
}

export function failVerification(diskName: string, ranges: readonly DifferingRange[]): never {
  const named = ranges.slice(0, 8).map(({ offset, length }) => `bytes ${offset} to ${offset + length - 1}`);
  const more = ranges.length > named.length ? ` and ${ranges.length - named.length} more ranges` : '';
  throw new ProblemError('VerificationFailed', `${diskName} differs in ${named.join(', ')}${more}`, {
    context: { disk: diskName, firstOffset: ranges[0]?.offset, ranges: ranges.length },
  });
}

export function toHex(digest: Uint8Array): string {
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
