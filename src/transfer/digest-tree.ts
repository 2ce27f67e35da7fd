import { hash } from 'node:crypto';
import { BLOCK_BYTES, BLOCKS_PER_LEAF, LEAF_BYTES, leafCount } from '../domain/digest-layout.ts';

export const DIGEST_BYTES = 32;
/** Nodes of 32 leaves and more are kept, which costs a thirty-second of the leaves' memory. */
const CACHED_LEVEL = 5;

/**
 * The digest of a whole disk: SHA-256 over blocks of 64 KiB, over the block digests of each leaf of 4 MiB, and pairwise above (ruling 2).
 *
 * ```text
 *   level 2              n          a node without a right neighbour is handed up as it is
 *   level 1         n         n
 *   level 0       l   l     l         leaf = sha256(0x00, digests of its blocks), node = sha256(0x01, left, right)
 * ```
 * Leaves become known in any order. After a resume only the roots of complete subtrees are known; everything below them counts as known too.
 * Memory: 8 MiB per TiB of data; holes cost nothing.
 */
export class DigestTree {
  readonly virtualSizeBytes: number;
  readonly leafCount: number;
  /** Digests by level and index. Level 0 is `#leaves`; others only hold what a checkpoint gave. */
  readonly #subtrees = new Map<string, Uint8Array>();
  readonly #leaves = new Map<number, Uint8Array>();
  /** Inner nodes computed before, from CACHED_LEVEL up: each checkpoint asks for them again. */
  readonly #computed = new Map<string, Uint8Array>();
  readonly #known: Uint8Array;
  #knownCount = 0;

  constructor(virtualSizeBytes: number) {
    this.virtualSizeBytes = virtualSizeBytes;
    this.leafCount = leafCount(virtualSizeBytes);
    this.#known = new Uint8Array(this.leafCount);
  }

  get knownLeaves(): number {
    return this.#knownCount;
  }

  hasLeaf(leaf: number): boolean {
    return this.#known[leaf] === 1;
  }

  /** A leaf is set once; whoever sets it vouches that it will not change. */
  setLeaf(leaf: number, digest: Uint8Array): void {
    this.#leaves.set(leaf, digest);
    this.#markKnown(leaf);
  }

  /** The digest of one leaf, or undefined when only a subtree above it is known. */
  leaf(leaf: number): Uint8Array | undefined {
    return this.#leaves.get(leaf);
  }

  /** Largest complete subtrees from left to right; together they cover every known leaf. */
  completeSubtrees(): Subtree[] {
    const found: Subtree[] = [];
    this.#collect(this.topLevel, 0, found);
    return found;
  }

  addSubtree(subtree: Subtree): void {
    const { level, index, digest } = subtree;
    const [first, end] = this.leafSpan(level, index);
    if (level === 0) this.#leaves.set(index, digest);
    else this.#subtrees.set(`${level}:${index}`, digest);
    for (let leaf = first; leaf < end; leaf += 1) this.#markKnown(leaf);
  }

  /** The digest of the whole disk. @throws Error when a leaf is missing */
  root(): Uint8Array {
    return this.node(this.topLevel, 0);
  }

  get topLevel(): number {
    return this.leafCount <= 1 ? 0 : Math.ceil(Math.log2(this.leafCount));
  }

  /** The leaves below a node: from the first to before the second number. */
  leafSpan(level: number, index: number): readonly [number, number] {
    return [Math.min(index * 2 ** level, this.leafCount), Math.min((index + 1) * 2 ** level, this.leafCount)];
  }

  node(level: number, index: number): Uint8Array {
    const key = `${level}:${index}`;
    const kept = level === 0 ? this.#leaves.get(index) : (this.#subtrees.get(key) ?? this.#computed.get(key));
    if (kept !== undefined) return kept;
    if (level === 0) throw new Error(`leaf ${index} is not known by itself`);
    const node = this.#computeNode(level, index);
    if (level >= CACHED_LEVEL) this.#computed.set(key, node);
    return node;
  }

  /** False where only this node itself is known, as after a resume. */
  hasNodesBelow(level: number, index: number): boolean {
    return level > 0 && !this.#subtrees.has(`${level}:${index}`);
  }

  #computeNode(level: number, index: number): Uint8Array {
    const left = this.node(level - 1, index * 2);
    const [firstRight] = this.leafSpan(level - 1, index * 2 + 1);
    if (firstRight >= this.leafCount) return left;
    return hashNode(left, this.node(level - 1, index * 2 + 1));
  }

  #markKnown(leaf: number): void {
    if (this.#known[leaf] === 1) return;
    this.#known[leaf] = 1;
    this.#knownCount += 1;
  }

  #collect(level: number, index: number, found: Subtree[]): void {
    const [first, end] = this.leafSpan(level, index);
    if (first >= end) return;
    const next = this.#known.indexOf(0, first);
    if (next === -1 || next >= end) {
      found.push({ level, index, digest: this.node(level, index) });
      return;
    }
    if (level === 0 || !this.#hasAnyKnown(first, end)) return;
    this.#collect(level - 1, index * 2, found);
    this.#collect(level - 1, index * 2 + 1, found);
  }

  #hasAnyKnown(first: number, end: number): boolean {
    const at = this.#known.indexOf(1, first);
    return at !== -1 && at < end;
  }
}

export interface Subtree {
  readonly level: number;
  readonly index: number;
  readonly digest: Uint8Array;
}

export function hashBlock(block: Uint8Array): Uint8Array {
  return hash('sha256', block, 'buffer');
}

/** @param blockDigests one digest of 32 bytes per block, in order */
export function hashLeaf(blockDigests: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + blockDigests.length);
  input.set(blockDigests, 1);
  return hash('sha256', input, 'buffer');
}

function hashNode(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * DIGEST_BYTES);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + DIGEST_BYTES);
  return hash('sha256', input, 'buffer');
}

/** Length of a leaf: LEAF_BYTES but for the last one. */
export function leafBytes(virtualSizeBytes: number, leaf: number): number {
  return Math.min(LEAF_BYTES, virtualSizeBytes - leaf * LEAF_BYTES);
}

const zeroBlock = new Uint8Array(BLOCK_BYTES);
const zeroDigests = new Map<number, Uint8Array>();

/** The digest of `length` zero bytes, at most a block. */
export function zeroBlockDigest(length: number): Uint8Array {
  let digest = zeroDigests.get(length);
  if (digest === undefined) {
    digest = hashBlock(zeroBlock.subarray(0, length));
    zeroDigests.set(length, digest);
  }
  return digest;
}

export function isZero(bytes: Uint8Array): boolean {
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const part = bytes.subarray(from, from + BLOCK_BYTES);
    if (Buffer.compare(part, zeroBlock.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

const zeroLeaves = new Map<number, Uint8Array>();

/** The digest of a leaf of `length` zero bytes. */
export function zeroLeafDigest(length: number): Uint8Array {
  let digest = zeroLeaves.get(length);
  if (digest === undefined) {
    digest = hashLeaf(zeroBlockDigests(length));
    zeroLeaves.set(length, digest);
  }
  return digest;
}

/** Block digests of a leaf of `length` bytes that is all zero. */
export function zeroBlockDigests(length: number): Uint8Array {
  const count = Math.min(BLOCKS_PER_LEAF, Math.ceil(length / BLOCK_BYTES));
  const digests = new Uint8Array(count * DIGEST_BYTES);
  for (let block = 0; block < count; block += 1) {
    digests.set(zeroBlockDigest(Math.min(BLOCK_BYTES, length - block * BLOCK_BYTES)), block * DIGEST_BYTES);
  }
  return digests;
}

/** The digest of one leaf's content. */
export function digestLeaf(bytes: Uint8Array): Uint8Array {
  const digests = new Uint8Array(Math.ceil(bytes.length / BLOCK_BYTES) * DIGEST_BYTES);
  for (let from = 0, block = 0; from < bytes.length; from += BLOCK_BYTES, block += 1) {
    const part = bytes.subarray(from, from + BLOCK_BYTES);
    digests.set(isZero(part) ? zeroBlockDigest(part.length) : hashBlock(part), block * DIGEST_BYTES);
  }
  return hashLeaf(digests);
}
