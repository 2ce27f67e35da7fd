import { closeSync, openSync, readSync } from 'node:fs';
import { BLOCK_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import { libc } from '../../lib/libc.ts';
import type { DecodePiece, EncodedPiece } from '../../ports/disk-reader.ts';
import type { LanePlace, LaneWriter, OpenLaneWriter } from '../../ports/lane.ts';
import { DIGEST_BYTES, hashBlock, isZero, zeroBlockDigest } from '../digest-tree.ts';
import {
  type DecodedRun,
  type LaneDisk,
  type LaneFile,
  type LaneJob,
  type LaneResult,
  unpackPieces,
} from './lane-job.ts';
import { WriteTurn } from './write-turn.ts';

/** What a lane stands on, chosen in main/. */
export interface LaneParts {
  readonly decode: DecodePiece;
  readonly openWriter: OpenLaneWriter;
}

/** Most bytes that a job decodes to, but for a single longer piece; the lane's buffers have this size. */
export const JOB_BYTES = 1024 * 1024;

/** One lane's view of one disk: the files it reads itself, the target it writes to, and two buffers. Everything here blocks, and only the lane. */
export class LaneDiskWork implements Disposable {
  readonly #parts: LaneParts;
  readonly #disk: LaneDisk;
  readonly #buffers: LaneBuffers;
  readonly #descriptors = new Map<number, number>();
  readonly #turn: WriteTurn;
  #writer: LaneWriter | undefined;

  constructor(parts: LaneParts, disk: LaneDisk, buffers: LaneBuffers) {
    this.#parts = parts;
    this.#disk = disk;
    this.#buffers = buffers;
    this.#turn = new WriteTurn(disk.writeTurn);
  }

  /** @throws ProblemError the problems of the format, of reading the source and of writing the target */
  run(job: LaneJob): LaneResult {
    const started = performance.now();
    const encoded = job.bytes ?? this.#read(job);
    const readMs = performance.now() - started;
    const output = new JobOutput(this.#disk);
    let writeMs = 0;
    for (const pieces of runsOf(unpackPieces(job.pieces))) {
      const bytes = this.#decodeRun(pieces, encoded, job.fileOffset);
      const offset = pieces[0]?.offset ?? 0;
      for (const run of output.take(offset, bytes)) {
        const writeStarted = performance.now();
        this.#write(run, output);
        writeMs += performance.now() - writeStarted;
      }
    }
    const decode = performance.now() - started - readMs - writeMs;
    return output.result({ read: readMs, decode, write: writeMs });
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
    this.#writer?.[Symbol.dispose]();
  }

  #decodeRun(pieces: readonly EncodedPiece[], encoded: Uint8Array, fileOffset: number): Uint8Array {
    const { virtualSizeBytes } = this.#disk;
    const [first] = pieces;
    if (first !== undefined && pieces.length === 1 && isUsedAsItIs(first, virtualSizeBytes)) {
      return encoded.subarray(first.fileOffset - fileOffset, first.fileOffset - fileOffset + first.length);
    }
    const start = first?.offset ?? 0;
    const last = pieces.at(-1);
    const end = last === undefined ? start : Math.min(last.offset + last.length, virtualSizeBytes);
    const out = this.#buffers.decoded(end - start);
    for (const piece of pieces) {
      const from = piece.fileOffset - fileOffset;
      const part = out.subarray(piece.offset - start, Math.min(piece.offset + piece.length, end) - start);
      decodeInto(this.#parts.decode, piece, encoded.subarray(from, from + piece.fileBytes), part, virtualSizeBytes);
    }
    return out;
  }

  #write(run: DecodedRun, output: JobOutput): void {
    const { target, virtualSizeBytes } = this.#disk;
    output.writtenBytes += run.bytes.length;
    // The buffer is used again for the next run, while the caller still writes this one.
    if (target === 'caller') output.runs.push({ offset: run.offset, bytes: Uint8Array.from(run.bytes) });
    else if (target !== 'nowhere') {
      this.#writer ??= this.#parts.openWriter(target, virtualSizeBytes);
      const writer = this.#writer;
      output.places.push(...this.#turn.take(() => writer.write(run.offset, run.bytes)));
    }
  }

  #read({ file, fileOffset, fileBytes }: LaneJob): Uint8Array {
    const origin = this.#disk.files[file];
    if (origin === undefined) throw new Error(`job without bytes for file ${file}, which only its owner can read`);
    const buffer = this.#buffers.encoded(fileBytes);
    const start = origin.offset + fileOffset;
    try {
      const descriptor = this.#open(file, origin);
      if (origin.uncached) libc.dropCache(descriptor, start, fileBytes);
      readExactly(descriptor, buffer, start, origin);
    } catch (cause) {
      throw problemOfReading(cause, origin);
    }
    return buffer;
  }

  #open(file: number, { path }: LaneFile): number {
    let descriptor = this.#descriptors.get(file);
    if (descriptor === undefined) {
      descriptor = openSync(path, 'r');
      this.#descriptors.set(file, descriptor);
    }
    return descriptor;
  }
}

/** A lane's memory, whatever the number of its disks. A longer piece gets longer buffers, which stay. */
export class LaneBuffers {
  #encoded = Buffer.alloc(0);
  #decoded = Buffer.alloc(0);

  encoded(bytes: number): Buffer {
    if (this.#encoded.length < bytes) this.#encoded = Buffer.allocUnsafeSlow(Math.max(bytes, JOB_BYTES));
    return this.#encoded.subarray(0, bytes);
  }

  decoded(bytes: number): Buffer {
    if (this.#decoded.length < bytes) this.#decoded = Buffer.allocUnsafeSlow(Math.max(bytes, JOB_BYTES));
    return this.#decoded.subarray(0, bytes);
  }
}

/** What a job found out, block by block. */
class JobOutput {
  readonly runs: DecodedRun[] = [];
  readonly places: LanePlace[] = [];
  writtenBytes = 0;
  readonly #disk: LaneDisk;
  readonly #blocks: number[] = [];
  readonly #hasData: number[] = [];
  readonly #digests: Uint8Array[] = [];

  constructor(disk: LaneDisk) {
    this.#disk = disk;
  }

  /** Looks at whole blocks that begin at `offset`; yields the runs of them that have to be written. */
  *take(offset: number, bytes: Uint8Array): Generator<DecodedRun, void> {
    const { skipsZeroes, isHashing } = this.#disk;
    let start = 0;
    for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
      const block = bytes.subarray(from, from + BLOCK_BYTES);
      const isHole = skipsZeroes && isZero(block);
      this.#blocks.push((offset + from) / BLOCK_BYTES);
      this.#hasData.push(isHole ? 0 : 1);
      if (isHashing) this.#digests.push(isHole ? zeroBlockDigest(block.length) : hashBlock(block));
      if (!isHole) continue;
      if (from > start) yield { offset: offset + start, bytes: bytes.subarray(start, from) };
      start = from + block.length;
    }
    if (start < bytes.length) yield { offset: offset + start, bytes: bytes.subarray(start) };
  }

  result(ms: LaneResult['ms']): LaneResult {
    const digests = new Uint8Array(this.#digests.length * DIGEST_BYTES);
    for (const [index, digest] of this.#digests.entries()) digests.set(digest, index * DIGEST_BYTES);
    const { runs, places, writtenBytes } = this;
    const blocks = Uint32Array.from(this.#blocks);
    return { blocks, hasData: Uint8Array.from(this.#hasData), digests, places, writtenBytes, runs, ms };
  }
}

/**
 * Decodes one piece into its part of the disk; `out` is shorter than the piece where the disk ends inside it.
 * @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized`
 */
export function decodeInto(
  decode: DecodePiece,
  piece: EncodedPiece,
  encoded: Uint8Array,
  out: Uint8Array,
  virtualSizeBytes: number,
): void {
  const isClipped = out.length < piece.length;
  const whole = isClipped ? new Uint8Array(piece.length) : out;
  const decoded = decode(piece, encoded, whole);
  if (decoded < out.length && piece.offset + out.length < virtualSizeBytes) {
    throw new ProblemError(
      'DiskImageCorrupt',
      `the part of the image at file offset ${piece.fileOffset} unpacks to ${decoded} bytes instead of ${piece.length}`,
      { context: { offset: piece.offset, fileOffset: piece.fileOffset } },
    );
  }
  whole.fill(0, decoded);
  if (isClipped) out.set(whole.subarray(0, out.length));
}

/** Pieces that follow each other in the disk without a gap. */
function* runsOf(pieces: readonly EncodedPiece[]): Generator<EncodedPiece[], void> {
  let run: EncodedPiece[] = [];
  let end = -1;
  for (const piece of pieces) {
    if (run.length > 0 && piece.offset !== end) {
      yield run;
      run = [];
    }
    run.push(piece);
    end = piece.offset + piece.length;
  }
  if (run.length > 0) yield run;
}

function isUsedAsItIs({ encoding, offset, length, fileBytes }: EncodedPiece, virtualSizeBytes: number): boolean {
  return encoding === 'plain' && fileBytes === length && offset + length <= virtualSizeBytes;
}

function readExactly(descriptor: number, into: Uint8Array, position: number, { name }: LaneFile): void {
  for (let done = 0; done < into.length; ) {
    const bytes = readSync(descriptor, into, done, into.length - done, position + done);
    if (bytes === 0) {
      throw new ProblemError('DiskImageTruncated', `${name} ends ${into.length - done} bytes too early`, {
        context: { position: position + done },
      });
    }
    done += bytes;
  }
}

function problemOfReading(cause: unknown, { name, uncached }: LaneFile): unknown {
  if (cause instanceof ProblemError || !(cause instanceof Error) || !('code' in cause)) return cause;
  return new ProblemError(uncached ? 'TargetReadFailed' : 'SourceReadFailed', `${name}: ${String(cause.code)}`, {
    cause,
  });
}
