import { ProblemError } from '../domain/problems.ts';
import { type ExpectedDigest, HEAD_BYTES, type ImageFile, type StreamOptions } from '../ports/image-file.ts';

/** An image file that lies in memory; counts what is asked of it, so that tests can see laziness and closing. */
export class MemoryImageFile implements ImageFile {
  readonly name: string;
  readonly sizeBytes?: number;
  readonly expectedDigests: readonly ExpectedDigest[];
  readonly read?: NonNullable<ImageFile['read']>;
  identity: string;
  /** Stream pieces handed out so far. */
  pulled = 0;
  /** Bytes handed out by `read` so far. */
  readBytes = 0;
  /** Streams that were opened and not closed. */
  openStreams = 0;
  isDisposed = false;
  readonly #bytes: Uint8Array;
  readonly #pieceBytes: number;

  /**
   * @param options.ranged false for a file that can only be streamed
   * @param options.pieceBytes size of the stream's pieces
   */
  constructor(
    bytes: Uint8Array,
    options: { name?: string; ranged?: boolean; pieceBytes?: number; expectedDigests?: readonly ExpectedDigest[] } = {},
  ) {
    this.#bytes = bytes;
    this.#pieceBytes = options.pieceBytes ?? 65_536;
    this.name = options.name ?? 'memory.img';
    this.identity = `memory:${bytes.length}`;
    this.expectedDigests = options.expectedDigests ?? [];
    if (options.ranged !== false) {
      this.sizeBytes = bytes.length;
      this.read = async (offset, length, { signal } = {}) => {
        signal?.throwIfAborted();
        if (offset + length > bytes.length) {
          throw new ProblemError(
            'DiskImageTruncated',
            `${this.name} has ${bytes.length} bytes; ${length} were asked from byte ${offset}`,
          );
        }
        this.readBytes += length;
        return Uint8Array.from(bytes.subarray(offset, offset + length));
      };
    }
  }

  async readIdentity(): Promise<string> {
    return this.identity;
  }

  async readHead(): Promise<Uint8Array> {
    return Uint8Array.from(this.#bytes.subarray(0, HEAD_BYTES));
  }

  async *stream({
    from = 0,
    to = this.#bytes.length,
    signal,
    observe,
  }: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    this.openStreams += 1;
    try {
      for (let at = from; at < Math.min(to, this.#bytes.length); at += this.#pieceBytes) {
        signal?.throwIfAborted();
        const piece = Uint8Array.from(this.#bytes.subarray(at, Math.min(at + this.#pieceBytes, to)));
        this.pulled += 1;
        observe?.(at, piece);
        yield piece;
      }
    } finally {
      this.openStreams -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isDisposed = true;
  }
}
