import { ProblemError } from '../domain/problems.ts';
import { PieceReader } from '../lib/piece-reader.ts';
import type { ImageFile } from '../ports/image-file.ts';
import type { StoredDigest } from '../transfer/stored-digest.ts';

/** Unneeded bytes are read through up to here; past that a new request is cheaper. */
const GAP_BYTES = 256 * 1024;

export interface OrderedFileOptions {
  readonly signal?: AbortSignal | undefined;
  readonly digest?: StoredDigest | undefined;
  /** Counts the bytes that came from the source. */
  readonly onFetched: (bytes: number) => void;
}

/** Reads rising parts of one file from as few streams as possible, and shows every byte to a digest when there is one. */
export class OrderedFile implements AsyncDisposable {
  readonly #file: ImageFile;
  readonly #options: OrderedFileOptions;
  #stream: PieceReader | undefined;

  constructor(file: ImageFile, options: OrderedFileOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** @throws ProblemError `DiskImageTruncated` and the problems of the source */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const stream = await this.#seek(offset);
    const bytes = (await stream.skipTo(offset)) ? await stream.readExactly(length) : undefined;
    if (bytes !== undefined) return bytes;
    throw new ProblemError(
      'DiskImageTruncated',
      `${this.#file.name} ends at byte ${stream.position}; ${length} bytes were expected from byte ${offset}`,
      { context: { position: stream.position } },
    );
  }

  /** Reads on to the end of the file when a digest still needs it. */
  async finishDigest(): Promise<void> {
    const { digest } = this.#options;
    if (digest === undefined || digest.position === this.#file.sizeBytes) return;
    const stream = await this.#seek(Math.max(this.#stream?.position ?? 0, digest.position));
    await stream.skipTo(Number.POSITIVE_INFINITY);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream?.[Symbol.asyncDispose]();
    this.#stream = undefined;
  }

  /** A stream that stands at or before `offset`, and that leaves out nothing the digest still needs. */
  async #seek(offset: number): Promise<PieceReader> {
    const hashed = this.#options.digest?.position ?? Number.POSITIVE_INFINITY;
    const open = this.#stream;
    if (open !== undefined && open.position <= offset) {
      const isNeededByDigest = hashed <= open.position + open.heldBytes;
      if (isNeededByDigest || offset - open.position <= GAP_BYTES) return open;
    }
    await open?.[Symbol.asyncDispose]();
    const from = Math.min(offset, hashed);
    const observe = (storedOffset: number, bytes: Uint8Array) => {
      this.#options.onFetched(bytes.length);
      this.#options.digest?.update(storedOffset, bytes);
    };
    this.#stream = new PieceReader(this.#file.stream({ from, signal: this.#options.signal, observe }), from);
    return this.#stream;
  }
}
