import { ProblemError } from '../domain/problems.ts';
import type { ImageFile } from '../ports/image-file.ts';
import type { StoredDigest } from './stored-digest.ts';

/** Unneeded bytes are read through up to here; past that a new request is cheaper. */
const GAP_BYTES = 256 * 1024;

/** Reads rising parts of one file from as few streams as possible, and shows every byte to a digest when there is one. */
export class OrderedFile {
  readonly #file: ImageFile;
  readonly #signal: AbortSignal | undefined;
  readonly #digest: StoredDigest | undefined;
  readonly #onFetched: (bytes: number) => void;
  #stream: AsyncIterator<Uint8Array> | undefined;
  #piece: Uint8Array = new Uint8Array(0);
  #used = 0;
  /** Offset in the file of the next byte of the stream. */
  #position = 0;

  constructor(
    file: ImageFile,
    options: {
      readonly signal?: AbortSignal | undefined;
      readonly digest?: StoredDigest | undefined;
      readonly onFetched: (bytes: number) => void;
    },
  ) {
    this.#file = file;
    this.#signal = options.signal;
    this.#digest = options.digest;
    this.#onFetched = options.onFetched;
  }

  /** @throws ProblemError `DiskImageTruncated` and the problems of the source */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    await this.#seek(offset);
    if (this.#piece.length - this.#used >= length) return this.#take(length);
    const whole = Buffer.allocUnsafeSlow(length);
    for (let filled = 0; filled < length; ) {
      if (!(await this.#fill())) this.#failTruncated(offset, length);
      const part = this.#take(Math.min(length - filled, this.#piece.length - this.#used));
      whole.set(part, filled);
      filled += part.length;
    }
    return whole;
  }

  /** Reads on to the end of the file when a digest still needs it. */
  async finishDigest(): Promise<void> {
    if (this.#digest === undefined) return;
    const isComplete = this.#file.sizeBytes !== undefined && this.#digest.position >= this.#file.sizeBytes;
    if (isComplete) return;
    await this.#seek(Math.max(this.#position, this.#digest.position));
    while (await this.#fill()) this.#take(this.#piece.length - this.#used);
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.return?.();
  }

  async #seek(offset: number): Promise<void> {
    const hashed = this.#digest?.position ?? Number.POSITIVE_INFINITY;
    const isNeededByDigest = hashed <= this.#position + this.#piece.length - this.#used;
    const mustPass = isNeededByDigest || offset - this.#position <= GAP_BYTES;
    if (this.#stream === undefined || offset < this.#position || !mustPass) {
      await this.close();
      // The digest may not be left behind: it takes part from its own position on.
      const from = Math.min(offset, hashed);
      this.#stream = this.#file
        .stream({
          from,
          signal: this.#signal,
          observe: (storedOffset, bytes) => {
            this.#onFetched(bytes.length);
            if (this.#digest !== undefined && storedOffset <= this.#digest.position)
              this.#digest.update(storedOffset, bytes);
          },
        })
        [Symbol.asyncIterator]();
      this.#position = from;
      this.#piece = new Uint8Array(0);
      this.#used = 0;
    }
    while (this.#position < offset) {
      if (!(await this.#fill())) this.#failTruncated(offset, 0);
      this.#take(Math.min(offset - this.#position, this.#piece.length - this.#used));
    }
  }

  #take(length: number): Uint8Array {
    const part = this.#piece.subarray(this.#used, this.#used + length);
    this.#used += length;
    this.#position += length;
    return part;
  }

  async #fill(): Promise<boolean> {
    while (this.#used === this.#piece.length) {
      const next = await this.#stream?.next();
      if (next === undefined || next.done) return false;
      this.#piece = next.value;
      this.#used = 0;
    }
    return true;
  }

  #failTruncated(offset: number, length: number): never {
    throw new ProblemError(
      'DiskImageTruncated',
      `${this.#file.name} ends at byte ${this.#position}; ${length} bytes were expected from byte ${offset}`,
      { context: { position: this.#position } },
    );
  }
}
