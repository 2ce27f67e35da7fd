import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import { DIGEST_BYTES, hashLeaf, leafBytes } from './digest-tree.ts';
import { type LaneFile, packPieces } from './lanes/lane-job.ts';
import type { LanePool, LaneSession } from './lanes/lane-pool.ts';
import { JOB_BYTES } from './lanes/run-job.ts';
import { WriteTurn } from './lanes/write-turn.ts';
import { failVerification } from './verify-disk.ts';

/** Bytes of digests that a whole job brings. */
const DIGESTS_PER_JOB = (JOB_BYTES / BLOCK_BYTES) * DIGEST_BYTES;

export interface ReadBehindOptions {
  readonly lanes: LanePool;
  /** The target, whose bytes are the disk's at their own offsets. */
  readonly file: LaneFile;
  readonly virtualSizeBytes: number;
  /** For messages. */
  readonly diskName: string;
  /** True while lanes have nothing better to do. */
  readonly isIdle: () => boolean;
}

interface DurableLeaf {
  readonly leaf: number;
  readonly digest: Uint8Array;
}

/**
 * Reads leaves back while the copy still goes on, as soon as they are durable and only on lanes that would wait for the source otherwise. What it does not come to is left to the
 * verification at the end. Memory: one leaf's digests.
 */
export class ReadBehind implements AsyncDisposable {
  /** Leaves that were found as they should be. */
  readonly verified = new Map<number, Uint8Array>();
  readonly #options: ReadBehindOptions;
  readonly #session: LaneSession;
  readonly #waiting: DurableLeaf[] = [];
  #work: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;

  constructor(options: ReadBehindOptions) {
    const { lanes, file, virtualSizeBytes } = options;
    this.#options = options;
    this.#session = lanes.openDisk({
      virtualSizeBytes,
      isHashing: true,
      skipsZeroes: true,
      files: [file],
      target: 'nowhere',
      writeTurn: WriteTurn.makeMemory(),
    });
  }

  /** These were flushed; nothing will touch them again. */
  offer(leaves: readonly DurableLeaf[]): void {
    this.#waiting.push(...leaves);
    this.poke();
  }

  /** Goes on if there is something to do and a lane to do it. @throws ProblemError `VerificationFailed`, and what reading the target met before */
  poke(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#work !== undefined || this.#isStopped || this.#waiting.length === 0) return;
    this.#work = this.#readWhileIdle()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#work = undefined;
      });
  }

  /** Ends with the leaf under way. @throws as `poke` */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#work;
    await this.#session[Symbol.asyncDispose]();
  }

  async #readWhileIdle(): Promise<void> {
    while (!this.#isStopped && this.#options.isIdle()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const { leaf, digest } = next;
      if (Buffer.compare(await this.#readLeaf(leaf), digest) !== 0) {
        const length = leafBytes(this.#options.virtualSizeBytes, leaf);
        failVerification(this.#options.diskName, [{ offset: leaf * LEAF_BYTES, length }]);
      }
      this.verified.set(leaf, digest);
    }
  }

  async #readLeaf(leaf: number): Promise<Uint8Array> {
    const start = leaf * LEAF_BYTES;
    const end = start + leafBytes(this.#options.virtualSizeBytes, leaf);
    const parts: Uint8Array[] = [];
    for (let offset = start; offset < end; offset += JOB_BYTES) {
      const fileBytes = Math.min(JOB_BYTES, end - offset);
      const piece = { offset, length: fileBytes, fileOffset: offset, fileBytes, encoding: 'plain' } as const;
      const job = { file: 0, fileOffset: offset, fileBytes, pieces: packPieces([piece]) };
      const { digests } = await this.#session.run(job);
      parts.push(digests);
    }
    const digests = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
    for (const [index, part] of parts.entries()) digests.set(part, index * DIGESTS_PER_JOB);
    return hashLeaf(digests);
  }
}
