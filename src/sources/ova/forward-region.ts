import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { type ExpectedDigest, HEAD_BYTES, type ImageFile, type StreamOptions } from '../../ports/image-file.ts';
import type { FileDigest } from './appliance-files.ts';
import type { ForwardPass } from './forward-pass.ts';

export interface ForwardRegionOptions {
  readonly name: string;
  /** Absent for a whole file whose length the server does not tell. */
  readonly sizeBytes?: number;
  readonly identity: string;
  readonly readIdentity: (options: CallOptions) => Promise<string>;
  /** A pass that stands at the region's first byte: the current one where it is not past it, else a new one. */
  readonly enter: (options: CallOptions) => Promise<ForwardPass>;
}

const PIECE_BYTES = 256 * 1024;

/**
 * A part of a file that can only be read in order, or all of it. Its head is kept once seen (64 KiB), so that looking at it costs no second pass.
 * Only one region of a file is read at a time.
 */
export class ForwardRegion {
  readonly options: ForwardRegionOptions;
  #head: Uint8Array | undefined;
  /** The pass that read the head, and where it stood then. */
  #pass: ForwardPass | undefined;
  #headEnd = 0;

  constructor(options: ForwardRegionOptions) {
    this.options = options;
  }

  /** True when reading from the start needs no new pass. */
  get standsBehindHead(): boolean {
    return this.#pass !== undefined && !this.#pass.isBroken && this.#pass.reader.position === this.#headEnd;
  }

  async readHead(options: CallOptions = {}): Promise<Uint8Array> {
    if (!this.#head) {
      const pass = await this.options.enter(options);
      const wanted = Math.min(HEAD_BYTES, this.options.sizeBytes ?? HEAD_BYTES);
      const head = await pass.readUpTo(wanted, options);
      if (head.length < wanted && this.options.sizeBytes !== undefined) this.#failTruncated(head.length);
      this.#head = head;
      this.#pass = pass;
      this.#headEnd = pass.reader.position;
    }
    return this.#head;
  }

  /** All bytes in order. */
  async *pieces(options: CallOptions): AsyncGenerator<Uint8Array, void> {
    const { sizeBytes = Number.POSITIVE_INFINITY } = this.options;
    let pass = this.#pass;
    let at = 0;
    let expected = this.#headEnd;
    if (pass && this.#head && this.standsBehindHead) {
      at = this.#head.length;
      if (at > 0) yield this.#head;
    } else {
      pass = await this.options.enter(options);
      expected = pass.reader.position;
    }
    while (at < sizeBytes) {
      if (pass.reader.position !== expected) throw new Error(`${this.options.name} is read by two at once`);
      const { reader } = pass;
      const length = Math.min(PIECE_BYTES, sizeBytes - at);
      const piece = await pass.during(options, () => reader.readSome(length));
      if (piece.length === 0) {
        if (this.options.sizeBytes !== undefined) this.#failTruncated(at);
        return;
      }
      at += piece.length;
      expected = reader.position;
      yield piece;
    }
  }

  #failTruncated(end: number): never {
    const { name, sizeBytes } = this.options;
    throw new ProblemError('ArchiveTruncated', `${name} ends at byte ${end} of ${sizeBytes}`);
  }
}

/** A region as an image file. Disposing it leaves the connection open for what follows. */
export class ForwardImageFile implements ImageFile {
  readonly name: string;
  readonly sizeBytes?: number;
  readonly identity: string;
  readonly expectedDigests: readonly ExpectedDigest[];
  readonly #region: ForwardRegion;

  constructor(region: ForwardRegion, digest: FileDigest | undefined) {
    const { name, sizeBytes, identity } = region.options;
    this.#region = region;
    this.name = name;
    this.identity = identity;
    this.expectedDigests = digest && sizeBytes !== undefined ? [{ ...digest, storedBytes: sizeBytes }] : [];
    if (sizeBytes !== undefined) this.sizeBytes = sizeBytes;
  }

  async readIdentity(options: CallOptions = {}): Promise<string> {
    return await this.#region.options.readIdentity(options);
  }

  async readHead(options?: CallOptions): Promise<Uint8Array> {
    return await this.#region.readHead(options);
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    const { from = 0, to = Number.POSITIVE_INFINITY, observe } = options;
    let at = 0;
    for await (const piece of this.#region.pieces(options)) {
      const start = Math.max(0, from - at);
      const wanted = piece.subarray(Math.min(start, piece.length), Math.max(0, Math.min(piece.length, to - at)));
      if (wanted.length > 0) {
        observe?.(at + start, wanted);
        yield wanted;
      }
      at += piece.length;
      if (at >= to) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {} // the pass belongs to the archive
}
