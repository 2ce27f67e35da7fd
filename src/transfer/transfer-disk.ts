import { leafOf } from '../domain/digest-layout.ts';
import { isProblem, ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { DecodePiece, DiskReader, EncodedPiece } from '../ports/disk-reader.ts';
import type { DiskWriter } from '../ports/disk-writer.ts';
import type { DiskProgress, DiskResult, StoredDigestResult, TransferOptions } from '../ports/transfer.ts';
import { BlockAssembler } from './block-assembler.ts';
import { type Checkpoint, encodeCheckpoint, subtreesForCheckpoint, subtreesFromCheckpoint } from './checkpoint.ts';
import { DigestTree } from './digest-tree.ts';
import { checkpointKey, findEarlierRun } from './earlier-run.ts';
import { type FetchedRange, fetchRanges } from './fetch-ranges.ts';
import { ManifestDigests } from './manifest-digests.ts';
import { readAhead } from './read-ahead.ts';
import type { HashFactory } from './stored-digest.ts';
import { digestDisk, digestOf, failVerification, findDifferences } from './verify-disk.ts';

/** What the engine stands on besides the disk itself; chosen once, in main/. */
export interface EngineParts {
  readonly decode: DecodePiece;
  readonly hashes: HashFactory;
  readonly clock: Clock;
}

/** Bytes fetched ahead of decoding. */
const READ_AHEAD_BYTES = 4 * 1024 * 1024;
/** A checkpoint at least this often in time, and in bytes fetched: a resume over a network may fetch 64 MiB or 1 % again, read-ahead included. */
const CHECKPOINT_MS = 5_000;
const CHECKPOINT_REMOTE_BYTES = 16 * 1024 * 1024;
const CHECKPOINT_LOCAL_BYTES = 256 * 1024 * 1024;

/**
 * Copies one disk: fetch, decode, hash, write, checkpoint; then finish the target's file, check the source's digests, read back and compare. Run again after
 * any interruption it continues from the last checkpoint. Holds one range, the read-ahead and two write buffers in memory.
 * @throws ProblemError `SourceChanged`, `PlanChanged`, `DigestMismatch`, `VerificationFailed`, and the problems of source, format and target. The partial result
 *   stays with the target in every case; the caller decides about it.
 */
export async function transferDisk(
  parts: EngineParts,
  reader: DiskReader,
  options: TransferOptions,
): Promise<DiskResult> {
  const { target, index, verify, signal } = options;
  const earlier = await findEarlierRun(reader, options);
  if (earlier?.result !== undefined) return earlier.result;
  if (earlier === undefined) await target.discardDisk(index);

  await using writer = await target.openDisk(index, reader.virtualSizeBytes);
  const transfer = new DiskTransfer(parts, reader, writer, options, earlier);
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

class DiskTransfer {
  readonly #parts: EngineParts;
  readonly #reader: DiskReader;
  readonly #writer: DiskWriter;
  readonly #options: TransferOptions;
  readonly #tree: DigestTree;
  readonly #assembler: BlockAssembler;
  readonly #digests: ManifestDigests;
  readonly #before: Checkpoint | undefined;
  readonly #startedMs: number;
  readonly #checkpointBytes: number;
  /** Of leaves that are done; the rest is copied again after an interruption. */
  #closedBytes: number;
  /** By leaf, of those not yet done. */
  readonly #openBytes = new Map<number, number>();
  #openTotal = 0;
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
    this.#closedBytes = isAdopted ? before.copiedBytes : 0;
    this.#assembler = new BlockAssembler(writer, this.#tree, { isHashing: options.verify === 'readback' });
    const { hashesUnlisted = false } = options;
    this.#digests = new ManifestDigests({
      files: reader.files,
      hashes: parts.hashes,
      hashesUnlisted,
      saved: before?.storedDigests,
    });
    if (before !== undefined && before.fetchedBytes > 0) this.#remarkFilesReadAgain();
    const isLocal = reader.files.every((file) => file.origin !== undefined);
    this.#checkpointBytes = isLocal ? CHECKPOINT_LOCAL_BYTES : CHECKPOINT_REMOTE_BYTES;
  }

  async copy(): Promise<void> {
    const { signal } = this.#options;
    const { clock } = this.#parts;
    // What was known at the start, not what becomes known: a late piece for a leaf that closed in this run must be noticed, not left out.
    const done = Uint8Array.from({ length: this.#tree.leafCount }, (_, leaf) => (this.#tree.hasLeaf(leaf) ? 1 : 0));
    const fetched = fetchRanges(this.#reader, {
      signal,
      wants: (leaf) => done[leaf] !== 1,
      digests: this.#digests.byFile,
      onFetched: (bytes) => {
        this.#fetchedBytes += bytes;
      },
    });
    let checkpointMs = clock.monotonicMs();
    let checkpointFetched = 0;
    try {
      for await (const range of readAhead(fetched, {
        budgetBytes: READ_AHEAD_BYTES,
        sizeOf: (each) => each.fileBytes,
      })) {
        signal?.throwIfAborted();
        await this.#takeRange(range);
        const now = clock.monotonicMs();
        const isDue =
          this.#fetchedBytes - checkpointFetched >= this.#checkpointBytes || now - checkpointMs >= CHECKPOINT_MS;
        if (isDue) {
          await this.#saveCheckpoint();
          checkpointMs = clock.monotonicMs();
          checkpointFetched = this.#fetchedBytes;
        }
      }
      await this.#closeLeaves(0, this.#tree.leafCount);
      this.#copyMs = clock.monotonicMs() - this.#startedMs;
      await this.#saveCheckpoint();
    } catch (error) {
      // Save what is safely there, so that stopping costs nothing. When that fails too, the checkpoint before this one stands.
      if (isWorthContinuing(error) && !this.#hasFlushFailed) {
        await this.#saveFlushed().catch((late: unknown) =>
          this.#options.onRemark?.(`no further checkpoint could be saved: ${String(late)}`),
        );
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
    const totalBytes = this.#writer.virtualSizeBytes;
    const leafBytes = totalBytes / Math.max(1, this.#tree.leafCount);
    const actual = await digestDisk(this.#writer, {
      signal,
      onLeaf: (leaf) => this.#progress('verify', Math.min(totalBytes, Math.round((leaf + 1) * leafBytes)), totalBytes),
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

  async #takeRange(range: FetchedRange): Promise<void> {
    for (const piece of range.pieces) {
      const from = piece.fileOffset - range.fileOffset;
      await this.#takePiece(piece, range.bytes.subarray(from, from + piece.fileBytes));
    }
    for (const { first, count } of range.closesLeaves ?? []) await this.#closeLeaves(first, count);
    const { allocation } = this.#reader;
    this.#progress('copy', this.#copiedBytes, allocation.kind === 'unknown' ? undefined : allocation.bytes);
  }

  async #takePiece(piece: EncodedPiece, encoded: Uint8Array): Promise<void> {
    const { virtualSizeBytes } = this.#reader;
    // The last grain of a disk may reach past its end.
    const length = Math.min(piece.length, virtualSizeBytes - piece.offset);
    const isClipped = length < piece.length;
    await this.#assembler.add(piece.offset, length, (out) => {
      const whole = isClipped ? new Uint8Array(piece.length) : out;
      const decoded = this.#parts.decode(piece, encoded, whole);
      if (decoded < length && piece.offset + length < virtualSizeBytes) {
        throw new ProblemError(
          'DiskImageCorrupt',
          `the part of the image at file offset ${piece.fileOffset} unpacks to ${decoded} bytes instead of ${piece.length}`,
          { context: { offset: piece.offset, fileOffset: piece.fileOffset } },
        );
      }
      whole.fill(0, decoded);
      if (isClipped) out.set(whole.subarray(0, length));
    });
    const leaf = leafOf(piece.offset);
    this.#openBytes.set(leaf, (this.#openBytes.get(leaf) ?? 0) + length);
    this.#openTotal += length;
  }

  async #closeLeaves(first: number, count: number): Promise<void> {
    await this.#assembler.closeLeaves(first, count);
    for (const [leaf, bytes] of this.#openBytes) {
      if (leaf < first || leaf >= first + count) continue;
      this.#closedBytes += bytes;
      this.#openTotal -= bytes;
      this.#openBytes.delete(leaf);
    }
  }

  get #copiedBytes(): number {
    return this.#closedBytes + this.#openTotal;
  }

  async #saveCheckpoint(): Promise<void> {
    await this.#assembler.settle();
    await this.#saveFlushed();
  }

  /** Leaves count as done only after their writes, so this is safe also when the write under way has failed. */
  async #saveFlushed(): Promise<void> {
    try {
      await this.#writer.flush();
    } catch (error) {
      // A system may forget what it failed to flush and report success the next time: no second try may be believed.
      this.#hasFlushFailed = true;
      throw error;
    }
    await this.#options.target.saveState(checkpointKey(this.#options.index), encodeCheckpoint(this.#checkpoint()));
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
      copiedBytes: this.#closedBytes,
      fetchedBytes: (before?.fetchedBytes ?? 0) + this.#fetchedBytes,
      writtenBytes: (before?.writtenBytes ?? 0) + this.#assembler.writtenBytes,
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

  #progress(phase: DiskProgress['phase'], doneBytes: number, totalBytes: number | undefined): void {
    this.#options.onProgress?.({ phase, doneBytes, totalBytes });
  }
}
