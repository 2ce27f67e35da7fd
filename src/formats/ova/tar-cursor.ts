import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import type { ByteReader } from '../byte-reader.ts';

/** The way a tar archive is gone through: by jumping where the source can be read anywhere, else by reading on. */
export interface TarCursor {
  readonly position: number;
  /** Up to `length` bytes; fewer only at the end of the archive. */
  readUpTo(length: number): Promise<Uint8Array>;
  /** Goes to an offset at or after `position`; false when the archive ends before it. */
  moveTo(offset: number): Promise<boolean>;
}

const WINDOW_BYTES = 64 * 1024;

/** Jumps. Memory: one window of 64 KiB, which usually holds descriptor, manifest and the headers between them. */
export class RangedCursor implements TarCursor {
  readonly #file: ImageFile;
  readonly #sizeBytes: number;
  readonly #options: CallOptions;
  #position = 0;
  #window: Uint8Array = new Uint8Array(0);
  #windowOffset = 0;

  constructor(file: ImageFile, sizeBytes: number, options: CallOptions) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
    this.#options = options;
  }

  get position(): number {
    return this.#position;
  }

  async readUpTo(length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.#sizeBytes - this.#position);
    if (wanted === 0) return new Uint8Array(0);
    const from = this.#position - this.#windowOffset;
    if (from < 0 || from + wanted > this.#window.length) {
      this.#windowOffset = this.#position;
      const windowBytes = Math.min(Math.max(wanted, WINDOW_BYTES), this.#sizeBytes - this.#position);
      if (!this.#file.read) throw new TypeError('a ranged cursor needs a file with read');
      this.#window = await this.#file.read(this.#position, windowBytes, this.#options);
    }
    const start = this.#position - this.#windowOffset;
    this.#position += wanted;
    return this.#window.subarray(start, start + wanted);
  }

  async moveTo(offset: number): Promise<boolean> {
    this.#position = Math.min(offset, this.#sizeBytes);
    return offset <= this.#sizeBytes;
  }
}

/** Reads on. What the reader's owner consumed in between counts as passed. */
export class ForwardCursor implements TarCursor {
  readonly #reader: ByteReader;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  get position(): number {
    return this.#reader.position;
  }

  async readUpTo(length: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let have = 0;
    while (have < length) {
      const piece = await this.#reader.readSome(length - have);
      if (piece.length === 0) break;
      pieces.push(piece);
      have += piece.length;
    }
    return pieces.length === 1 ? (pieces[0] ?? new Uint8Array(0)) : Buffer.concat(pieces);
  }

  async moveTo(offset: number): Promise<boolean> {
    if (this.#reader.position > offset) throw new RangeError('the consumer read past the end of the member');
    while (this.#reader.position < offset) {
      const piece = await this.#reader.readSome(offset - this.#reader.position);
      if (piece.length === 0) return false;
    }
    return true;
  }
}

export function truncated(name: string, position: number, what: string): ProblemError {
  return new ProblemError('ArchiveTruncated', `${name} ends at byte ${position}, ${what}`, { context: { position } });
}
