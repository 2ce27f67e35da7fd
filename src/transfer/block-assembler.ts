import { BLOCK_BYTES, LEAF_BYTES, leafOf } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { DiskWriter } from '../ports/disk-writer.ts';
import {
  DIGEST_BYTES,
  type DigestTree,
  hashBlock,
  hashLeaf,
  isZero,
  leafBytes,
  zeroBlockDigest,
  zeroBlockDigests,
  zeroLeafDigest,
} from './digest-tree.ts';

/** Longest single write; also the size of the two buffers that decoding and writing alternate between. */
const RUN_BYTES = 1024 * 1024;
/** Incomplete blocks held in memory at most (16 MiB); past that they are written as they are and read again when more of them comes. */
const MAX_PARTIAL_BLOCKS = 256;
const NO_DIGEST = new Uint8Array(0);

/** A leaf some of whose blocks were touched. */
interface OpenLeaf {
  /** Block digests, for now of a leaf of zeroes; empty without verification. */
  readonly digests: Uint8Array;
  /** 1 where a block was written. */
  readonly written: Uint8Array;
}

/**
 * Puts decoded pieces of any size and order together into whole blocks, hashes each block once and writes runs of neighbouring blocks in one go. While one run is
 * being written the next one is filled. Blocks that are all zero are not written to a target known to be zero.
 */
export class BlockAssembler {
  readonly #writer: DiskWriter;
  readonly #tree: DigestTree;
  readonly #isHashing: boolean;
  readonly #openLeaves = new Map<number, OpenLeaf>();
  readonly #partialBlocks = new Map<number, Uint8Array>();
  /** Blocks that went to the target incomplete, to make room. */
  readonly #spilledBlocks = new Set<number>();
  #run = Buffer.allocUnsafeSlow(RUN_BYTES);
  #spare = Buffer.allocUnsafeSlow(RUN_BYTES);
  #runOffset = 0;
  #runBytes = 0;
  #write: Promise<void> = Promise.resolve();
  /** Bytes handed to the writer so far. */
  writtenBytes = 0;

  constructor(writer: DiskWriter, tree: DigestTree, options: { readonly isHashing: boolean }) {
    this.#writer = writer;
    this.#tree = tree;
    this.#isHashing = options.isHashing;
  }

  get openLeaves(): number {
    return this.#openLeaves.size;
  }

  /**
   * Takes `length` bytes at `offset`, which `decode` writes into the buffer it is given.
   * @throws ProblemError `DiskImageCorrupt` for a leaf that was declared complete
   */
  async add(offset: number, length: number, decode: (out: Uint8Array) => void): Promise<void> {
    this.#refuseClosedLeaf(offset);
    const end = offset + length;
    const isWhole = offset % BLOCK_BYTES === 0 && (length % BLOCK_BYTES === 0 || end === this.#writer.virtualSizeBytes);
    if (isWhole && length <= RUN_BYTES && this.#partialBlocks.size === 0 && this.#spilledBlocks.size === 0) {
      const out = await this.#roomFor(offset, length);
      decode(out);
      await this.#takeBlocks(offset, out);
      return;
    }
    const bytes = new Uint8Array(length);
    decode(bytes);
    for (let at = offset; at < end; ) {
      const blockEnd = Math.min((Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES, end);
      await this.#addToBlock(at, bytes.subarray(at - offset, blockEnd - offset));
      at = blockEnd;
    }
  }

  /** The source will not touch these leaves again: their last blocks are written and their digests recorded. */
  async closeLeaves(first: number, count: number): Promise<void> {
    for (const block of this.#incompleteBlocks(first, count)) await this.#completeBlock(block);
    // A leaf counts as done only when its last write has succeeded, so that a failing write never leaves a leaf that looks done.
    await this.settle();
    for (let leaf = first; leaf < first + count; leaf += 1) {
      if (this.#tree.hasLeaf(leaf)) continue;
      const digest = this.#leafDigest(leaf);
      this.#openLeaves.delete(leaf);
      this.#tree.setLeaf(leaf, digest);
      this.#writer.recordLeaf?.(leaf, digest);
    }
  }

  /** Returns when everything added is with the writer, but for blocks still incomplete. */
  async settle(): Promise<void> {
    await this.#flushRun();
    await this.#write;
  }

  #refuseClosedLeaf(offset: number): void {
    if (!this.#tree.hasLeaf(leafOf(offset))) return;
    throw new ProblemError(
      'DiskImageCorrupt',
      `data for disk offset ${offset} comes after the image declared that part of the disk complete`,
      { context: { offset } },
    );
  }

  /** Space at the end of the run that begins at, or continues to, `offset`. */
  async #roomFor(offset: number, length: number): Promise<Uint8Array> {
    const continues = this.#runOffset + this.#runBytes === offset && this.#runBytes + length <= RUN_BYTES;
    if (!continues) {
      await this.#flushRun();
      this.#runOffset = offset;
    }
    return this.#run.subarray(this.#runBytes, this.#runBytes + length);
  }

  /** Accepts whole blocks which lie at the end of the run. */
  async #takeBlocks(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.#isUntouchedHole(offset, bytes)) return;
    for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
      const block = bytes.subarray(from, from + BLOCK_BYTES);
      const at = offset + from;
      const leaf = this.#openLeaf(leafOf(at));
      const index = (at % LEAF_BYTES) / BLOCK_BYTES;
      // A block that was written before must be written again even when it is zero now.
      const isHole = this.#writer.isKnownZero && leaf.written[index] === 0 && isZero(block);
      if (this.#isHashing) {
        const digest = isHole ? zeroBlockDigest(block.length) : hashBlock(block);
        leaf.digests.set(digest, index * DIGEST_BYTES);
      }
      if (isHole) {
        await this.#flushRun();
        this.#runOffset = at + block.length;
        // The blocks behind the hole move to the front of the other buffer.
        const rest = bytes.subarray(from + BLOCK_BYTES);
        this.#run.set(rest, 0);
        return this.#takeBlocks(this.#runOffset, this.#run.subarray(0, rest.length));
      }
      leaf.written[index] = 1;
      this.#runBytes += block.length;
    }
  }

  /** The common case of a long run of zeroes, told apart without looking at each block. */
  #isUntouchedHole(offset: number, bytes: Uint8Array): boolean {
    if (!this.#writer.isKnownZero || !isZero(bytes)) return false;
    for (let at = offset; at < offset + bytes.length; at += BLOCK_BYTES) {
      if (this.#openLeaves.get(leafOf(at))?.written[(at % LEAF_BYTES) / BLOCK_BYTES] === 1) return false;
    }
    return true;
  }

  async #flushRun(): Promise<void> {
    if (this.#runBytes === 0) return;
    const bytes = this.#run.subarray(0, this.#runBytes);
    const offset = this.#runOffset;
    await this.#write;
    this.writtenBytes += bytes.length;
    this.#write = this.#writer.write(offset, bytes);
    // Whoever waits next gets the failure; until then it must not count as unhandled.
    this.#write.catch(() => {});
    [this.#run, this.#spare] = [this.#spare, this.#run];
    this.#runOffset = offset + bytes.length;
    this.#runBytes = 0;
  }

  async #addToBlock(offset: number, part: Uint8Array): Promise<void> {
    const block = Math.floor(offset / BLOCK_BYTES);
    const blockOffset = block * BLOCK_BYTES;
    const blockLength = Math.min(BLOCK_BYTES, this.#writer.virtualSizeBytes - blockOffset);
    if (part.length === blockLength) {
      this.#partialBlocks.delete(block);
      this.#spilledBlocks.delete(block);
      const out = await this.#roomFor(offset, part.length);
      out.set(part);
      return this.#takeBlocks(offset, out);
    }
    let bytes = this.#partialBlocks.get(block);
    if (bytes === undefined) {
      bytes = new Uint8Array(blockLength);
      if (this.#spilledBlocks.delete(block)) {
        await this.settle();
        await this.#writer.read(blockOffset, bytes);
      }
      await this.#makeRoomForPartial();
      this.#partialBlocks.set(block, bytes);
      // Known from now on, so that the leaf is not taken for a hole.
      this.#openLeaf(leafOf(blockOffset));
    }
    bytes.set(part, offset - blockOffset);
  }

  async #makeRoomForPartial(): Promise<void> {
    if (this.#partialBlocks.size < MAX_PARTIAL_BLOCKS) return;
    const [oldest] = this.#partialBlocks.keys();
    if (oldest === undefined) return;
    await this.#completeBlock(oldest);
    this.#spilledBlocks.add(oldest);
  }

  #incompleteBlocks(firstLeaf: number, leaves: number): number[] {
    const first = (firstLeaf * LEAF_BYTES) / BLOCK_BYTES;
    const end = ((firstLeaf + leaves) * LEAF_BYTES) / BLOCK_BYTES;
    for (const block of this.#spilledBlocks) if (block >= first && block < end) this.#spilledBlocks.delete(block);
    return [...this.#partialBlocks.keys()].filter((block) => block >= first && block < end).sort((a, b) => a - b);
  }

  async #completeBlock(block: number): Promise<void> {
    const bytes = this.#partialBlocks.get(block);
    if (bytes === undefined) return;
    this.#partialBlocks.delete(block);
    const out = await this.#roomFor(block * BLOCK_BYTES, bytes.length);
    out.set(bytes);
    await this.#takeBlocks(block * BLOCK_BYTES, out);
  }

  #openLeaf(index: number): OpenLeaf {
    let leaf = this.#openLeaves.get(index);
    if (leaf === undefined) {
      const length = leafBytes(this.#writer.virtualSizeBytes, index);
      leaf = {
        digests: this.#isHashing ? zeroBlockDigests(length) : NO_DIGEST,
        written: new Uint8Array(Math.ceil(length / BLOCK_BYTES)),
      };
      this.#openLeaves.set(index, leaf);
    }
    return leaf;
  }

  #leafDigest(index: number): Uint8Array {
    if (!this.#isHashing) return NO_DIGEST;
    const open = this.#openLeaves.get(index);
    return open === undefined
      ? zeroLeafDigest(leafBytes(this.#writer.virtualSizeBytes, index))
      : hashLeaf(open.digests);
  }
}
