import { BLOCK_BYTES, LEAF_BYTES } from '../domain/digest-layout.ts';
import type { DecodePiece, DiskReader, EncodedPiece, EncodedRange } from '../ports/disk-reader.ts';
import type { DiskWriter } from '../ports/disk-writer.ts';
import type { RateLimiter } from '../ports/transfer.ts';
import { DIGEST_BYTES, type DigestTree, hashBlock, isZero, zeroBlockDigest } from './digest-tree.ts';
import { type FetchedRanges, type FetchWindow, fetchRanges, readsOnLanes } from './fetch-ranges.ts';
import { FragmentStore, type WholeBlock } from './fragment-store.ts';
import { type BuiltWork, JobBuilder } from './job-builder.ts';
import type { LaneDisk, LaneResult } from './lanes/lane-job.ts';
import type { LanePool, LaneSession } from './lanes/lane-pool.ts';
import { decodeInto } from './lanes/run-job.ts';
import { WriteTurn } from './lanes/write-turn.ts';
import { LeafBook } from './leaf-book.ts';
import type { StoredDigest } from './stored-digest.ts';

const NO_DIGEST = new Uint8Array(0);

export interface PumpOptions {
  readonly reader: DiskReader;
  /** Absent where only the digests are wanted. */
  readonly writer?: DiskWriter | undefined;
  /** Leaves in it are done and not asked for; it gets those that become done. */
  readonly tree: DigestTree;
  readonly isHashing: boolean;
  readonly lanes: LanePool;
  /** For what is too small for a lane. */
  readonly decode: DecodePiece;
  readonly window: FetchWindow;
  readonly digests: readonly (StoredDigest | undefined)[];
  readonly rateLimiter?: RateLimiter | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onFetched?: (bytes: number) => void;
  /** After each job. */
  readonly onBytes?: () => void;
  /** A leaf with data is done. */
  readonly onLeaf?: (leaf: number, digest: Uint8Array) => void;
  /** Awaited before more work is handed out. */
  readonly keepUp?: () => Promise<void>;
}

/**
 * Takes a disk through the lanes:
 *
 * ```text
 *   ranges -> announce in the book -> fetch (window, or left to the lane) -> jobs -> lanes: decode, hash, write -> book -> leaf done
 *                                                                \-> parts of blocks: put together here -> write ->/
 * ```
 * Ranges are announced in the source's order, so that the book knows what each leaf still waits for; everything after that happens in any order. Nothing is pulled from the
 * source while the lanes have enough ahead. The first failure stops the whole, and is thrown when nothing is under way any more.
 */
export class DiskPump {
  readonly #options: PumpOptions;
  readonly #book: LeafBook;
  readonly #wasDone: Uint8Array;
  readonly #builder: JobBuilder;
  readonly #fragments: FragmentStore;
  readonly #session: LaneSession;
  readonly #running = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #failure: { readonly error: unknown } | undefined;
  /** Fragments are put together one after the other. */
  #fragmentWork: Promise<unknown> = Promise.resolve();
  #openBytes = 0;
  #closedBytes = 0;
  writtenBytes = 0;
  /** What the lanes spent, in milliseconds of a lane. */
  readonly laneMs = { read: 0, decode: 0, write: 0 };

  constructor(options: PumpOptions) {
    const { reader, writer, tree, isHashing, lanes, digests } = options;
    this.#options = options;
    // What was known at the start, not what becomes known: a late piece for a leaf that closed in this run must be noticed, not left out.
    this.#wasDone = Uint8Array.from({ length: tree.leafCount }, (_, leaf) => (tree.hasLeaf(leaf) ? 1 : 0));
    this.#book = new LeafBook(tree, { isHashing, wasDone: this.#wasDone });
    this.#builder = new JobBuilder(reader.virtualSizeBytes);
    this.#fragments = new FragmentStore(reader.virtualSizeBytes, writer);
    const isDirect = readsOnLanes(reader, digests);
    const disk: LaneDisk = {
      virtualSizeBytes: reader.virtualSizeBytes,
      isHashing,
      skipsZeroes: writer?.isKnownZero ?? true,
      files: reader.files.map(({ name, origin }) => (isDirect && origin ? { ...origin.file, name } : undefined)),
      target: writer === undefined ? 'nowhere' : (writer.laneTarget ?? 'caller'),
      writeTurn: WriteTurn.makeMemory(),
    };
    this.#session = lanes.openDisk(disk);
  }

  /** True while some lane has nothing to do for this disk. */
  get isIdle(): boolean {
    return this.#running.size < this.#options.lanes.count;
  }

  /** Bytes of the disk that came in this run, of leaves done and not. */
  get copiedBytes(): number {
    return this.#closedBytes + this.#openBytes;
  }

  /** Those of leaves that are done. */
  get closedBytes(): number {
    return this.#closedBytes;
  }

  /** Returns when every leaf of the disk is done. @throws ProblemError the first failure of source, format, lanes or target */
  async run(): Promise<void> {
    const { reader, signal, tree } = this.#options;
    const inner = signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]);
    const fetched = fetchRanges(reader, {
      signal: inner,
      wants: (leaf) => this.#wasDone[leaf] !== 1,
      digests: this.#options.digests,
      window: this.#options.window,
      rateLimiter: this.#options.rateLimiter,
      onRange: (range) => this.#announce(range),
      onFetched: (bytes) => this.#options.onFetched?.(bytes),
    });
    try {
      for await (const item of fetched) {
        await this.#takeFetched(item);
        if (this.#failure !== undefined) break;
        signal?.throwIfAborted();
      }
      if (this.#failure === undefined) await this.#buildRest();
      await this.#settleAll();
      this.#throwFailure();
      this.#closeLeaves(0, tree.leafCount);
      await this.#settleAll();
      this.#throwFailure();
    } catch (error) {
      this.#fail(error);
      await this.#settleAll();
      throw this.#failure?.error ?? error;
    } finally {
      await this.#session[Symbol.asyncDispose]();
    }
  }

  /** In the source's order, before the bytes are there. */
  #announce(range: EncodedRange): void {
    for (const piece of range.pieces) this.#book.announce(piece);
    for (const { first, count } of range.closesLeaves ?? []) this.#closeLeaves(first, count);
  }

  async #takeFetched({ ranges, bytes, fileOffset, release }: FetchedRanges): Promise<void> {
    let users = 1;
    const free = () => {
      users -= 1;
      if (users === 0) release();
    };
    const start = async (work: BuiltWork) => {
      users += 1;
      await this.#start(work, bytes && { bytes, fileOffset }, free);
    };
    try {
      for (const range of ranges) {
        for (const piece of range.pieces) {
          const work = this.#builder.add(range.file, piece);
          if (work !== undefined) await start(work);
          if (this.#failure !== undefined) return;
        }
      }
      // What was handed over is let go soon; what lanes read themselves may go on in the next range.
      const rest = bytes === undefined ? undefined : this.#builder.take();
      if (rest !== undefined) await start(rest);
    } finally {
      free();
    }
  }

  async #buildRest(): Promise<void> {
    const rest = this.#builder.take();
    if (rest !== undefined) await this.#start(rest, undefined, () => {});
  }

  /** Hands work out; returns when there is room for more. */
  async #start(
    { job, pieces, fragments, file, fileOffset, fileBytes }: BuiltWork,
    given: { readonly bytes: Uint8Array; readonly fileOffset: number } | undefined,
    onDone: () => void,
  ): Promise<void> {
    const { rateLimiter, signal, lanes } = this.#options;
    const isRead = given === undefined && fileBytes > 0;
    if (isRead) await rateLimiter?.take(fileBytes, { signal });
    const bytes = given?.bytes.subarray(fileOffset - given.fileOffset, fileOffset - given.fileOffset + fileBytes);
    const tasks: Promise<unknown>[] = [];
    if (job !== undefined) {
      const result = this.#session.run(bytes === undefined ? job : { ...job, bytes });
      tasks.push(result.then((each) => this.#takeResult(each, pieces)));
    }
    if (fragments.length > 0) {
      this.#fragmentWork = this.#fragmentWork.then(() => this.#takeFragments(file, fragments, bytes, fileOffset));
      tasks.push(this.#fragmentWork);
    }
    this.#track(
      Promise.all(tasks).then(() => {
        if (isRead) this.#options.onFetched?.(fileBytes);
      }),
      onDone,
    );
    await this.#options.keepUp?.();
    while (this.#running.size >= lanes.jobsAhead && this.#failure === undefined) await Promise.race(this.#running);
  }

  async #takeResult(result: LaneResult, pieces: readonly EncodedPiece[]): Promise<void> {
    const { writer, isHashing } = this.#options;
    const { blocks, hasData, digests, places, runs } = result;
    for (const { offset, bytes } of runs) await writer?.write(offset, bytes);
    if (places.length > 0) writer?.adoptPlaces?.(places);
    for (const [index, block] of blocks.entries()) {
      const digest = isHashing ? digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES) : NO_DIGEST;
      this.#book.takeBlock(block, hasData[index] === 1, digest);
    }
    this.writtenBytes += result.writtenBytes;
    for (const kind of ['read', 'decode', 'write'] as const) this.laneMs[kind] += result.ms[kind];
    this.#settlePieces(pieces);
  }

  async #takeFragments(
    file: number,
    fragments: readonly EncodedPiece[],
    bytes: Uint8Array | undefined,
    fileOffset: number,
  ): Promise<void> {
    const { reader, decode, signal } = this.#options;
    const { virtualSizeBytes } = reader;
    for (const piece of fragments) {
      if (this.#failure !== undefined) return;
      const from = piece.fileOffset - fileOffset;
      const encoded =
        bytes?.subarray(from, from + piece.fileBytes) ??
        (await reader.files[file]?.read?.(piece.fileOffset, piece.fileBytes, { signal }));
      if (encoded === undefined) throw new Error(`fragment of file ${file}, which cannot be read here`);
      const out = new Uint8Array(Math.min(piece.length, virtualSizeBytes - piece.offset));
      decodeInto(decode, piece, encoded, out, virtualSizeBytes);
      for (const whole of await this.#fragments.add(piece.offset, out)) await this.#takeWhole(whole);
      this.#settlePieces([piece]);
    }
  }

  async #takeWhole({ block, bytes, wasSpilled }: WholeBlock): Promise<void> {
    const { writer, isHashing } = this.#options;
    const isHole = !wasSpilled && (writer?.isKnownZero ?? true) && isZero(bytes);
    if (!isHole) {
      await writer?.write(block * BLOCK_BYTES, bytes);
      this.writtenBytes += bytes.length;
    }
    const digest = isHole ? zeroBlockDigest(bytes.length) : hashBlock(bytes);
    this.#book.takeBlock(block, !isHole, isHashing ? digest : NO_DIGEST);
  }

  #settlePieces(pieces: readonly EncodedPiece[]): void {
    const { virtualSizeBytes } = this.#options.reader;
    let came = 0;
    for (const piece of pieces) {
      const length = Math.min(piece.length, virtualSizeBytes - piece.offset);
      came += length;
      for (const leaf of this.#book.settle(piece)) this.#track(this.#completeLeaf(leaf));
    }
    this.#openBytes += came;
    this.#options.onBytes?.();
  }

  #closeLeaves(first: number, count: number): void {
    const { tree } = this.#options;
    let holes = 0;
    for (let leaf = first; leaf <= first + count; leaf += 1) {
      const isPast = leaf === first + count || tree.hasLeaf(leaf);
      const state = isPast ? 'past' : this.#book.close(leaf);
      if (state === 'hole') {
        holes += 1;
        continue;
      }
      if (holes > 0) this.#closeHoles(leaf - holes, holes);
      holes = 0;
      if (state === 'ready') this.#track(this.#completeLeaf(leaf));
    }
  }

  #closeHoles(first: number, count: number): void {
    const { writer } = this.#options;
    const record = () => {
      for (let leaf = first; leaf < first + count; leaf += 1) this.#recordLeaf(leaf);
    };
    if (writer?.zero === undefined) {
      record();
      return;
    }
    this.#track(this.#zeroLeaves(writer, first, count).then(record));
  }

  async #zeroLeaves(writer: DiskWriter, first: number, count: number): Promise<void> {
    const { leafOffset, leafEnd } = this.#spanOf(first, count);
    await writer.zero?.(leafOffset, leafEnd - leafOffset);
  }

  #spanOf(first: number, count: number): { leafOffset: number; leafEnd: number } {
    const { virtualSizeBytes } = this.#options.reader;
    const leafOffset = first * LEAF_BYTES;
    return { leafOffset, leafEnd: Math.min((first + count) * LEAF_BYTES, virtualSizeBytes) };
  }

  /** All pieces of a leaf are done: what is left are blocks that only came in part, and on some targets its holes. */
  async #completeLeaf(leaf: number): Promise<void> {
    const { writer } = this.#options;
    for (const whole of await this.#fragments.takeLeaf(leaf)) await this.#takeWhole(whole);
    if (writer?.zero !== undefined) {
      for (const { offset, length } of this.#book.holesOf(leaf)) await writer.zero(offset, length);
    }
    this.#recordLeaf(leaf);
  }

  /** A leaf counts as done only now, when its last write has succeeded: a failing write never leaves a leaf that looks done. */
  #recordLeaf(leaf: number): void {
    const { tree, writer } = this.#options;
    const { digest, doneBytes } = this.#book.take(leaf);
    tree.setLeaf(leaf, digest);
    writer?.recordLeaf?.(leaf, digest);
    if (doneBytes > 0) this.#options.onLeaf?.(leaf, digest);
    this.#openBytes -= doneBytes;
    this.#closedBytes += doneBytes;
  }

  #track(work: Promise<unknown>, onDone: () => void = () => {}): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        this.#running.delete(tracked);
        onDone();
      });
    this.#running.add(tracked);
  }

  /** The first failure counts; what it makes fail in turn does not. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#stop.abort(error);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #settleAll(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
