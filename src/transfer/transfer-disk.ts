import { isProblem, ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { DiskWriter } from '../ports/disk-writer.ts';
import type { DiskProgress, DiskResult, StoredDigestResult, TransferOptions } from '../ports/transfer.ts';
import { type Checkpoint, encodeCheckpoint, subtreesForCheckpoint, subtreesFromCheckpoint } from './checkpoint.ts';
import { CheckpointPace } from './checkpoint-pace.ts';
import { DigestTree } from './digest-tree.ts';
import { DiskPump } from './disk-pump.ts';
import { checkpointKey, findEarlierRun } from './earlier-run.ts';
import { ManifestDigests } from './manifest-digests.ts';
import { ReadBehind } from './read-behind.ts';
import type { HashFactory } from './stored-digest.ts';
import { digestDisk, digestOf, failVerification, findDifferences, type ReadParts } from './verify-disk.ts';

/** What the engine stands on besides the disk itself; chosen once, in main/. */
export interface EngineParts extends ReadParts {
  readonly hashes: HashFactory;
  readonly clock: Clock;
}

/** A checkpoint at least this often in time, and in bytes fetched: a resume may fetch 64 MiB or 1 % again, what is under way included. */
const CHECKPOINT_MS = 5_000;
const CHECKPOINT_REMOTE_BYTES = 12 * 1024 * 1024;
const CHECKPOINT_LOCAL_BYTES = 32 * 1024 * 1024;
/** Where storage takes long to flush, the copy runs ahead of its checkpoint by this at most. */
const AHEAD_REMOTE_BYTES = 12 * 1024 * 1024;
const AHEAD_LOCAL_BYTES = 512 * 1024 * 1024;

/**
 * Copies one disk: fetch, decode, hash, write, checkpoint; then finish the target's file, check the source's digests, read back and compare. Run again after
 * any interruption it continues from the last checkpoint. Memory: what the window and the lanes have ahead.
 * @throws ProblemError `SourceChanged`, `PlanChanged`, `DigestMismatch`, `VerificationFailed`, and the problems of source, format and target. The partial result
 *   stays with the target in every case; the caller decides about it.
 */
export async function transferDisk(
  parts: EngineParts,
  reader: DiskReader,
  options: TransferOptions,
): Promise<DiskResult> {
  const { target, index } = options;
  const earlier = await findEarlierRun(reader, options);
  if (earlier?.result !== undefined) return earlier.result;
  if (earlier === undefined) await target.discardDisk(index);

  try {
    return await copyDisk(parts, reader, options, earlier);
  } catch (error) {
    // What came after the change may be among the leaves done: a source that gets its old identity back must not be continued from it.
    if (isProblem(error, 'SourceChanged')) await target.discardDisk(index);
    throw error;
  }
}

async function copyDisk(
  parts: EngineParts,
  reader: DiskReader,
  options: TransferOptions,
  earlier: Checkpoint | undefined,
): Promise<DiskResult> {
  const { target, index, verify, signal } = options;
  await using writer = await target.openDisk(index, reader.virtualSizeBytes);
  await using transfer = new DiskTransfer(parts, reader, writer, options, earlier);
  await transfer.copy();
  options.onProgress?.({ phase: 'finish', doneBytes: 0, totalBytes: undefined });
  const storedDigests = await transfer.checkStoredDigests();
  await refuseChangedSource(reader, signal);
  await writer.finish();
  const verified = verify === 'readback' ? await transfer.readBack() : undefined;
  return transfer.complete(storedDigests, verified);
}

async function refuseChangedSource(reader: DiskReader, signal: AbortSignal | undefined): Promise<void> {
  const now = await reader.readContentId({ signal });
  if (now === reader.contentId) return;
  throw new ProblemError('SourceChanged', `the disk was "${reader.contentId}" when the copy began and is now "${now}"`);
}

/** An interruption may be continued; so may whatever passes by itself. A disk that is wrong may not. */
function isWorthContinuing(error: unknown): boolean {
  return !isProblem(error) || error.code === 'Interrupted' || error.problem.retry !== 'never';
}

class DiskTransfer implements AsyncDisposable {
  readonly #parts: EngineParts;
  readonly #reader: DiskReader;
  readonly #writer: DiskWriter;
  readonly #options: TransferOptions;
  readonly #tree: DigestTree;
  readonly #pump: DiskPump;
  readonly #pace: CheckpointPace;
  readonly #digests: ManifestDigests;
  readonly #before: Checkpoint | undefined;
  readonly #startedMs: number;
  /** Copied by earlier runs. */
  readonly #adoptedBytes: number;
  /** Done since the last stocktaking. */
  #newLeaves: { leaf: number; digest: Uint8Array }[] = [];
  readonly #readBehind: ReadBehind | undefined;
  #fetchedBytes = 0;
  #copyMs = 0;
  #hasFlushFailed = false;
  #verifyMs = 0;

  constructor(
    parts: EngineParts,
    reader: DiskReader,
    writer: DiskWriter,
    options: TransferOptions,
    before: Checkpoint | undefined,
  ) {
    this.#parts = parts;
    this.#reader = reader;
    this.#writer = writer;
    this.#options = options;
    this.#before = before;
    this.#startedMs = parts.clock.monotonicMs();
    this.#tree = new DigestTree(reader.virtualSizeBytes);
    const isAdopted = before !== undefined && this.#adoptLeaves(before);
    this.#adoptedBytes = isAdopted ? before.copiedBytes : 0;
    const { hashesUnlisted = false, signal, verify } = options;
    const rateLimiter = options.rateLimiter?.share?.() ?? options.rateLimiter;
    this.#digests = new ManifestDigests({
      files: reader.files,
      hashes: parts.hashes,
      hashesUnlisted,
      saved: before?.storedDigests,
    });
    if (before !== undefined && before.fetchedBytes > 0) this.#remarkFilesReadAgain();
    const isLocal = reader.files.every((file) => file.origin !== undefined);
    this.#pace = new CheckpointPace({
      clock: parts.clock,
      everyBytes: isLocal ? CHECKPOINT_LOCAL_BYTES : CHECKPOINT_REMOTE_BYTES,
      everyMs: CHECKPOINT_MS,
      limitBytes: isLocal ? AHEAD_LOCAL_BYTES : AHEAD_REMOTE_BYTES,
      save: () => this.#saveCheckpoint(),
    });
    this.#pump = new DiskPump({
      ...parts,
      reader,
      writer,
      tree: this.#tree,
      isHashing: verify === 'readback',
      digests: this.#digests.byFile,
      rateLimiter,
      signal,
      onFetched: (bytes) => {
        this.#fetchedBytes += bytes;
        this.#pace.count(bytes);
      },
      onBytes: () => this.#progressOfCopy(),
      onLeaf: (leaf, digest) => void this.#newLeaves.push({ leaf, digest }),
      keepUp: async () => {
        this.#readBehind?.poke();
        await this.#pace.keepUp();
      },
    });
    // Where lanes read the source themselves they always have work, and reading back would only take it from them.
    if (verify === 'readback' && !isLocal) this.#readBehind = this.#openReadBehind();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#readBehind?.[Symbol.asyncDispose]();
  }

  async copy(): Promise<void> {
    try {
      await this.#pump.run();
      await this.#pace.settle();
      await this.#readBehind?.stop();
      this.#copyMs = this.#parts.clock.monotonicMs() - this.#startedMs;
      await this.#saveCheckpoint();
    } catch (error) {
      await this.#pace.settle();
      // Save what is safely there, so that stopping costs nothing. When that fails too, the checkpoint before this one stands.
      if (isWorthContinuing(error) && !this.#hasFlushFailed) {
        await this.#saveCheckpoint().catch((late: unknown) =>
          this.#options.onRemark?.(`no further checkpoint could be saved: ${String(late)}`),
        );
      }
      // A source that changed under the copy looks damaged in many ways.
      if (isProblem(error, 'DiskImageTruncated', 'DiskImageCorrupt')) {
        await refuseChangedSource(this.#reader, this.#options.signal);
      }
      throw error;
    }
  }

  /** Compares what the manifest says with what passed. */
  async checkStoredDigests(): Promise<StoredDigestResult[]> {
    const results = this.#digests.finish();
    const wrong = results.find((each) => each.expected !== undefined && each.expected !== each.actual);
    if (wrong !== undefined) {
      await refuseChangedSource(this.#reader, this.#options.signal);
      throw new ProblemError(
        'DigestMismatch',
        `${wrong.name} has ${wrong.algorithm} ${wrong.actual}; the manifest says ${wrong.expected}`,
        {
          context: { file: wrong.name },
        },
      );
    }
    return results;
  }

  /** Reads the finished disk and compares every leaf. */
  async readBack(): Promise<DigestTree> {
    const { signal, index, target } = this.#options;
    const { clock } = this.#parts;
    const started = clock.monotonicMs();
    await using written = await this.#writer.openWritten();
    const actual = await digestDisk(this.#parts, written, {
      signal,
      verified: this.#readBehind?.verified,
      onProgress: (doneBytes, totalBytes) => this.#progress('verify', doneBytes, totalBytes),
    });
    const differences = findDifferences(this.#tree, actual);
    if (differences.length > 0) failVerification(target.diskFileName(index), differences);
    this.#verifyMs = clock.monotonicMs() - started;
    return actual;
  }

  async complete(storedDigests: StoredDigestResult[], verified: DigestTree | undefined): Promise<DiskResult> {
    const checkpoint = this.#checkpoint();
    const result: DiskResult = {
      format: this.#reader.format,
      virtualSizeBytes: this.#reader.virtualSizeBytes,
      dataBytes: this.#reader.allocation.kind === 'exact' ? this.#reader.allocation.bytes : this.#copiedBytes,
      ...(verified === undefined ? {} : { digest: digestOf(verified) }),
      storedDigests,
      fetchedBytes: checkpoint.fetchedBytes,
      writtenBytes: checkpoint.writtenBytes,
      copyMs: checkpoint.copyMs,
      verifyMs: this.#verifyMs,
      resumes: checkpoint.resumes,
    };
    await this.#options.target.saveState(
      checkpointKey(this.#options.index),
      encodeCheckpoint({ ...checkpoint, result }),
    );
    this.#progress('done', this.#copiedBytes, this.#copiedBytes);
    return result;
  }

  get #copiedBytes(): number {
    return this.#adoptedBytes + this.#pump.copiedBytes;
  }

  /** Takes stock of the leaves done, makes them durable and says so. The copy goes on meanwhile: what becomes done after the stocktaking belongs to the next one. */
  async #saveCheckpoint(): Promise<void> {
    const checkpoint = encodeCheckpoint(this.#checkpoint());
    const durable = this.#newLeaves.splice(0);
    try {
      await this.#writer.flush();
    } catch (error) {
      // A system may forget what it failed to flush and report success the next time: no second try may be believed.
      this.#hasFlushFailed = true;
      throw error;
    }
    await this.#options.target.saveState(checkpointKey(this.#options.index), checkpoint);
    this.#readBehind?.offer(durable);
  }

  /** Only where the file is the disk: what is mapped by tables is read through them when they are written. */
  #openReadBehind(): ReadBehind | undefined {
    const { laneTarget, virtualSizeBytes } = this.#writer;
    if (laneTarget === undefined || !('raw' in laneTarget)) return undefined;
    return new ReadBehind({
      lanes: this.#parts.lanes,
      file: { ...laneTarget.raw, offset: 0, sizeBytes: virtualSizeBytes, uncached: true },
      virtualSizeBytes,
      diskName: this.#options.target.diskFileName(this.#options.index),
      isIdle: () => this.#pump.isIdle,
    });
  }

  #checkpoint(): Checkpoint {
    const before = this.#before;
    const copyMs = this.#copyMs || this.#parts.clock.monotonicMs() - this.#startedMs;
    return {
      version: 1,
      contentId: this.#reader.contentId,
      fileName: this.#options.target.diskFileName(this.#options.index),
      virtualSizeBytes: this.#reader.virtualSizeBytes,
      isHashing: this.#options.verify === 'readback',
      subtrees: subtreesForCheckpoint(this.#tree),
      storedDigests: this.#digests.saveStates(),
      copiedBytes: this.#adoptedBytes + this.#pump.closedBytes,
      fetchedBytes: (before?.fetchedBytes ?? 0) + this.#fetchedBytes,
      writtenBytes: (before?.writtenBytes ?? 0) + this.#pump.writtenBytes,
      copyMs: (before?.copyMs ?? 0) + copyMs,
      resumes: before === undefined ? 0 : before.resumes + 1,
    };
  }

  #remarkFilesReadAgain(): void {
    for (const name of this.#digests.filesReadAgain) {
      const why = `${this.#parts.hashes.implementation} cannot continue a hash`;
      this.#options.onRemark?.(`${name} is read again from its start to check the manifest's digest (${why})`);
    }
  }

  /** Takes over what an earlier run did: all of it, or nothing when the target no longer has all of it. */
  #adoptLeaves(before: Checkpoint): boolean {
    const subtrees = subtreesFromCheckpoint(before);
    const isThere = subtrees.every(({ level, index }) => this.#hasLeaves(...this.#tree.leafSpan(level, index)));
    if (isThere) for (const subtree of subtrees) this.#tree.addSubtree(subtree);
    return isThere;
  }

  #hasLeaves(first: number, end: number): boolean {
    for (let leaf = first; leaf < end; leaf += 1) if (this.#writer.hasLeaf?.(leaf) === false) return false;
    return true;
  }

  #progressOfCopy(): void {
    const { allocation } = this.#reader;
    this.#progress('copy', this.#copiedBytes, allocation.kind === 'unknown' ? undefined : allocation.bytes);
  }

  #progress(phase: DiskProgress['phase'], doneBytes: number, totalBytes: number | undefined): void {
    this.#options.onProgress?.({ phase, doneBytes, totalBytes });
  }
}
