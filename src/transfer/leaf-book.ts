import { BLOCK_BYTES, LEAF_BYTES, leafOf } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';
import type { EncodedPiece } from '../ports/disk-reader.ts';
import { DIGEST_BYTES, type DigestTree, hashLeaf, leafBytes, zeroBlockDigests, zeroLeafDigest } from './digest-tree.ts';

const NO_DIGEST = new Uint8Array(0);

/** A leaf some of whose blocks are data. */
interface OpenLeaf {
  /** Pieces announced and not yet done. */
  pendingPieces: number;
  /** No later range touches the leaf. */
  isClosed: boolean;
  /** Bytes of the disk that are done. */
  doneBytes: number;
  /** Block digests, for now of a leaf of zeroes; empty without hashing. */
  readonly digests: Uint8Array;
  /** By block: 1 when a whole block was announced. */
  readonly announced: Uint8Array;
  /** By block: 1 where data was found. */
  readonly hasData: Uint8Array;
}

/**
 * Keeps account of every leaf from the moment a range with a piece of it is known until all its blocks are done. Pieces are announced in the order of the source and done in any
 * order, by any lane. Memory: 2 KiB for each open leaf.
 */
export class LeafBook {
  readonly #virtualSizeBytes: number;
  readonly #tree: DigestTree;
  readonly #isHashing: boolean;
  readonly #leaves = new Map<number, OpenLeaf>();
  /** 1 for leaves that an earlier run completed. A piece may reach into one from its neighbour; that part comes again and changes nothing. */
  readonly #wasDone: Uint8Array;

  constructor(tree: DigestTree, options: { readonly isHashing: boolean; readonly wasDone: Uint8Array }) {
    this.#wasDone = options.wasDone;
    this.#tree = tree;
    this.#virtualSizeBytes = tree.virtualSizeBytes;
    this.#isHashing = options.isHashing;
  }

  get openLeaves(): number {
    return this.#leaves.size;
  }

  /**
   * A piece will come.
   * @throws ProblemError `DiskImageCorrupt` for a part of the disk that was declared complete, or that the image holds twice
   */
  announce({ offset, length }: EncodedPiece): void {
    const end = Math.min(offset + length, this.#virtualSizeBytes);
    for (let leaf = leafOf(offset); leaf <= leafOf(end - 1); leaf += 1) {
      if (this.#wasDone[leaf] === 1) continue;
      if (this.#tree.hasLeaf(leaf) || this.#leaves.get(leaf)?.isClosed === true) {
        throw corrupt(offset, 'comes after the image declared that part of the disk complete');
      }
      const open = this.#open(leaf);
      open.pendingPieces += 1;
      const leafOffset = leaf * LEAF_BYTES;
      const from = Math.ceil((Math.max(offset, leafOffset) - leafOffset) / BLOCK_BYTES);
      const to = blocksUpTo(Math.min(end, leafOffset + LEAF_BYTES) - leafOffset, end === this.#virtualSizeBytes);
      for (let block = from; block < to; block += 1) {
        if (open.announced[block] === 1) throw corrupt(leafOffset + block * BLOCK_BYTES, 'is in the image twice');
        open.announced[block] = 1;
      }
    }
  }

  /** What became of a block. */
  takeBlock(block: number, hasData: boolean, digest: Uint8Array): void {
    if (this.#wasDone[leafOf(block * BLOCK_BYTES)] === 1) return;
    const leaf = this.#leaves.get(leafOf(block * BLOCK_BYTES));
    if (leaf === undefined) throw new Error(`block ${block} is done and its leaf is not open`);
    const index = block % (LEAF_BYTES / BLOCK_BYTES);
    if (hasData) leaf.hasData[index] = 1;
    if (this.#isHashing) leaf.digests.set(digest, index * DIGEST_BYTES);
  }

  /** A piece is done: every block it has a part in was taken, or is held by whoever puts fragments together. Returns the leaves that became ready. */
  settle({ offset, length }: EncodedPiece): number[] {
    const end = Math.min(offset + length, this.#virtualSizeBytes);
    const ready: number[] = [];
    for (let leaf = leafOf(offset); leaf <= leafOf(end - 1); leaf += 1) {
      if (this.#wasDone[leaf] === 1) continue;
      const open = this.#leaves.get(leaf);
      if (open === undefined) throw new Error(`a piece of leaf ${leaf} is done and the leaf is not open`);
      open.pendingPieces -= 1;
      open.doneBytes += Math.min(end, (leaf + 1) * LEAF_BYTES) - Math.max(offset, leaf * LEAF_BYTES);
      if (open.isClosed && open.pendingPieces === 0) ready.push(leaf);
    }
    return ready;
  }

  /** No range after the ones announced touches this leaf. `hole`: nothing of it was announced; `ready`: all of it is done; `later`: `settle` will tell. */
  close(leaf: number): 'hole' | 'ready' | 'later' {
    const open = this.#leaves.get(leaf);
    if (open === undefined) return 'hole';
    open.isClosed = true;
    return open.pendingPieces === 0 ? 'ready' : 'later';
  }

  /** Runs of the leaf's blocks without data, as parts of the disk. */
  *holesOf(leaf: number): Generator<{ offset: number; length: number }, void> {
    const length = leafBytes(this.#virtualSizeBytes, leaf);
    const hasData = this.#leaves.get(leaf)?.hasData;
    let start: number | undefined;
    for (let at = 0; at < length; at += BLOCK_BYTES) {
      const isHole = hasData?.[at / BLOCK_BYTES] !== 1;
      if (isHole) start ??= at;
      else if (start !== undefined) {
        yield { offset: leaf * LEAF_BYTES + start, length: at - start };
        start = undefined;
      }
    }
    if (start !== undefined) yield { offset: leaf * LEAF_BYTES + start, length: length - start };
  }

  /** Forgets a leaf that is ready; returns its digest (empty without hashing) and the bytes of it that came. */
  take(leaf: number): { readonly digest: Uint8Array; readonly doneBytes: number } {
    const open = this.#leaves.get(leaf);
    this.#leaves.delete(leaf);
    const doneBytes = open?.doneBytes ?? 0;
    if (!this.#isHashing) return { digest: NO_DIGEST, doneBytes };
    const digest =
      open === undefined ? zeroLeafDigest(leafBytes(this.#virtualSizeBytes, leaf)) : hashLeaf(open.digests);
    return { digest, doneBytes };
  }

  #open(leaf: number): OpenLeaf {
    let open = this.#leaves.get(leaf);
    if (open === undefined) {
      const length = leafBytes(this.#virtualSizeBytes, leaf);
      const blocks = Math.ceil(length / BLOCK_BYTES);
      open = {
        pendingPieces: 0,
        isClosed: false,
        doneBytes: 0,
        digests: this.#isHashing ? zeroBlockDigests(length) : NO_DIGEST,
        announced: new Uint8Array(blocks),
        hasData: new Uint8Array(blocks),
      };
      this.#leaves.set(leaf, open);
    }
    return open;
  }
}

/** Blocks that end at or before `end`; the last block of the disk may be short. */
function blocksUpTo(end: number, isDiskEnd: boolean): number {
  return isDiskEnd ? Math.ceil(end / BLOCK_BYTES) : Math.floor(end / BLOCK_BYTES);
}

function corrupt(offset: number, what: string): ProblemError {
  return new ProblemError('DiskImageCorrupt', `data for disk offset ${offset} ${what}`, { context: { offset } });
}
