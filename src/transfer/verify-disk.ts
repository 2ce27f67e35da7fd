import { LEAF_BYTES } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { DecodePiece, DiskReader } from '../ports/disk-reader.ts';
import type { CompareOptions, DifferingRange, DiskDigest } from '../ports/transfer.ts';
import { DigestTree } from './digest-tree.ts';
import { DiskPump } from './disk-pump.ts';
import type { FetchWindow } from './fetch-ranges.ts';
import type { LanePool } from './lanes/lane-pool.ts';

/** Sections that a report names; few enough for a small file, many enough to find a difference. */
const MAX_SECTIONS = 256;

/** What reading a disk takes; chosen once, in main/. */
export interface ReadParts {
  readonly decode: DecodePiece;
  readonly lanes: LanePool;
  readonly window: FetchWindow;
}

/** Reads a whole disk, but for the leaves in `verified`, and computes its digest tree. Memory: what the lanes have ahead, and the tree. */
export async function digestDisk(
  parts: ReadParts,
  reader: DiskReader,
  options: CompareOptions & { readonly verified?: ReadonlyMap<number, Uint8Array> | undefined } = {},
): Promise<DigestTree> {
  const { signal, onProgress, rateLimiter, verified = new Map() } = options;
  const { virtualSizeBytes } = reader;
  const tree = new DigestTree(virtualSizeBytes);
  for (const [leaf, digest] of verified) tree.setLeaf(leaf, digest);
  const report = () => onProgress?.(Math.min(virtualSizeBytes, tree.knownLeaves * LEAF_BYTES), virtualSizeBytes);
  const pump = new DiskPump({
    ...parts,
    reader,
    tree,
    isHashing: true,
    digests: reader.files.map(() => undefined),
    rateLimiter,
    signal,
    onBytes: report,
  });
  await pump.run();
  report();
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
  parts: ReadParts,
  reader: DiskReader,
  expected: DiskDigest,
  options: CompareOptions = {},
): Promise<DifferingRange[]> {
  const total = reader.virtualSizeBytes;
  const tree = await digestDisk(parts, reader, options);
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
