import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import { ProblemError } from '../domain/problems.ts';

const SECTOR_BYTES = 512;
/** Incomplete blocks held in memory at most (16 MiB); past that they are put aside with `Spill`. */
const MAX_HELD = 256;

/** Where incomplete blocks lie meanwhile: on the target, at their own place. */
export interface Spill {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  read(offset: number, into: Uint8Array): Promise<void>;
}

export interface WholeBlock {
  readonly block: number;
  readonly bytes: Uint8Array;
  /** The target holds an earlier, incomplete state of it. */
  readonly wasSpilled: boolean;
}

interface HeldBlock {
  readonly bytes: Uint8Array;
  /** By sector: 1 where something came. */
  readonly came: Uint8Array;
}

/** Puts parts of blocks together: clusters smaller than a block, extents that begin in the midst of one. What never comes is zero. */
export class FragmentStore {
  readonly #virtualSizeBytes: number;
  readonly #spill: Spill | undefined;
  readonly #held = new Map<number, HeldBlock>();
  /** What came of the blocks put aside. */
  readonly #spilled = new Map<number, Uint8Array>();

  constructor(virtualSizeBytes: number, spill: Spill | undefined) {
    this.#virtualSizeBytes = virtualSizeBytes;
    this.#spill = spill;
  }

  /**
   * Takes decoded bytes; returns the blocks that are whole now.
   * @throws ProblemError `DiskImageCorrupt` when a byte comes twice; `DiskTooScattered` when there is nowhere to put blocks aside
   */
  async add(offset: number, bytes: Uint8Array): Promise<WholeBlock[]> {
    const whole: WholeBlock[] = [];
    const end = offset + bytes.length;
    for (let at = offset; at < end; ) {
      const block = Math.floor(at / BLOCK_BYTES);
      const partEnd = Math.min((block + 1) * BLOCK_BYTES, end);
      const complete = await this.#addPart(block, at, bytes.subarray(at - offset, partEnd - offset));
      if (complete !== undefined) whole.push(complete);
      at = partEnd;
    }
    return whole;
  }

  /** The blocks of a leaf that will not become whole: nothing more of it comes. */
  async takeLeaf(leaf: number): Promise<WholeBlock[]> {
    if (this.#held.size === 0 && this.#spilled.size === 0) return [];
    const first = (leaf * LEAF_BYTES) / BLOCK_BYTES;
    const blocks: WholeBlock[] = [];
    for (let block = first; block < first + LEAF_BYTES / BLOCK_BYTES; block += 1) {
      if (!this.#held.has(block) && !this.#spilled.has(block)) continue;
      const wasSpilled = this.#spilled.has(block);
      const { bytes } = await this.#hold(block);
      this.#held.delete(block);
      blocks.push({ block, bytes, wasSpilled });
    }
    return blocks;
  }

  async #addPart(block: number, at: number, part: Uint8Array): Promise<WholeBlock | undefined> {
    const wasSpilled = this.#spilled.has(block);
    const { bytes, came } = await this.#hold(block);
    const within = at - block * BLOCK_BYTES;
    const fromSector = Math.floor(within / SECTOR_BYTES);
    const toSector = Math.ceil((within + part.length) / SECTOR_BYTES);
    if (came.subarray(fromSector, toSector).includes(1)) {
      throw new ProblemError('DiskImageCorrupt', `data for disk offset ${at} is in the image twice`, {
        context: { offset: at },
      });
    }
    bytes.set(part, within);
    came.fill(1, fromSector, toSector);
    if (came.includes(0)) return undefined;
    this.#held.delete(block);
    return { block, bytes, wasSpilled };
  }

  async #hold(block: number): Promise<HeldBlock> {
    let held = this.#held.get(block);
    if (held !== undefined) return held;
    await this.#makeRoom();
    const offset = block * BLOCK_BYTES;
    const bytes = new Uint8Array(Math.min(BLOCK_BYTES, this.#virtualSizeBytes - offset));
    const came = this.#spilled.get(block);
    if (came !== undefined) {
      await this.#spill?.read(offset, bytes);
      this.#spilled.delete(block);
    }
    held = { bytes, came: came ?? new Uint8Array(Math.ceil(bytes.length / SECTOR_BYTES)) };
    this.#held.set(block, held);
    return held;
  }

  async #makeRoom(): Promise<void> {
    const [oldest] = this.#held;
    if (this.#held.size < MAX_HELD || oldest === undefined) return;
    const [block, { bytes, came }] = oldest;
    if (this.#spill === undefined) {
      throw new ProblemError(
        'DiskTooScattered',
        `more than ${MAX_HELD} blocks of the disk lie in parts all over the image, and there is no target to put them together on`,
      );
    }
    await this.#spill.write(block * BLOCK_BYTES, bytes);
    this.#held.delete(block);
    this.#spilled.set(block, came);
  }
}
