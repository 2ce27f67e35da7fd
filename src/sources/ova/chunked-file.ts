import { createHash } from 'node:crypto';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { type ExpectedDigest, HEAD_BYTES, type ImageFile, type StreamOptions } from '../../ports/image-file.ts';

export interface ChunkedFileOptions {
  readonly name: string;
  readonly sizeBytes: number;
  /** Of every part but the last. */
  readonly chunkBytes: number;
  /** Opens a part; it is disposed when the reading has gone past it. */
  readonly openPart: (index: number, options: CallOptions) => Promise<ImageFile>;
  /** One per part, or none. */
  readonly expectedDigests: readonly ExpectedDigest[];
  /** Whether parts can be read at any place. */
  readonly hasRanges: boolean;
}

/** A file that the descriptor splits into parts of one size: their bytes one after the other. */
export class ChunkedFile implements ImageFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readonly server: string | undefined;
  readonly expectedDigests: readonly ExpectedDigest[];
  readonly read?: NonNullable<ImageFile['read']>;
  readonly #options: ChunkedFileOptions;
  readonly #first: ImageFile;

  private constructor(options: ChunkedFileOptions, first: ImageFile, identity: string) {
    this.#options = options;
    this.#first = first;
    this.server = first.server;
    this.name = options.name;
    this.sizeBytes = options.sizeBytes;
    this.expectedDigests = options.expectedDigests;
    this.identity = identity;
    if (options.hasRanges) this.read = (offset, length, call) => this.#read(offset, length, call ?? {});
  }

  /** Looks at every part where that costs no pass over the source, else at the first. */
  static async open(options: ChunkedFileOptions, call: CallOptions): Promise<ChunkedFile> {
    const first = await options.openPart(0, call);
    try {
      return new ChunkedFile(options, first, await identityOf(options, call, (part) => part.identity));
    } catch (error) {
      await first[Symbol.asyncDispose]();
      throw error;
    }
  }

  async readIdentity(options: CallOptions = {}): Promise<string> {
    return await identityOf(this.#options, options, (part) => part.readIdentity(options));
  }

  async readHead(options: CallOptions = {}): Promise<Uint8Array> {
    const head = await this.#first.readHead(options);
    const wanted = Math.min(HEAD_BYTES, this.sizeBytes);
    if (head.length >= wanted || !this.read) return head;
    return await this.read(0, wanted, options);
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    const { from = 0, signal, observe, onRetry } = options;
    const to = Math.min(options.to ?? this.sizeBytes, this.sizeBytes);
    const { chunkBytes } = this.#options;
    for (let index = Math.floor(from / chunkBytes); index * chunkBytes < to; index += 1) {
      const start = index * chunkBytes;
      await using part = await openPart(this.#options, index, { signal });
      yield* part.stream({
        from: Math.max(0, from - start),
        to: Math.min(chunkBytes, to - start),
        signal,
        onRetry,
        observe: observe && ((offset, bytes) => observe(start + offset, bytes)),
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#first[Symbol.asyncDispose]();
  }

  async #read(offset: number, length: number, options: CallOptions): Promise<Uint8Array> {
    if (offset + length > this.sizeBytes) {
      throw new ProblemError(
        'DiskImageTruncated',
        `${this.name} has ${this.sizeBytes} bytes; ${length} were asked from byte ${offset}`,
      );
    }
    const bytes = new Uint8Array(length);
    const { chunkBytes } = this.#options;
    let filled = 0;
    while (filled < length) {
      const index = Math.floor((offset + filled) / chunkBytes);
      const inside = offset + filled - index * chunkBytes;
      await using part = await openPart(this.#options, index, options);
      if (!part.read) throw new TypeError(`${part.name} can only be read in order`);
      const wanted = Math.min(length - filled, chunkBytes - inside);
      const piece = await part.read(inside, wanted, options);
      // Asking again for what does not come would go on for ever.
      if (piece.length !== wanted) {
        const what = `${part.name} gave ${piece.length} bytes of ${wanted} at byte ${inside}`;
        throw new ProblemError('DiskImageTruncated', what);
      }
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes;
  }
}

/** Opens a part and holds it to its size: a short one would shift all that follows. */
async function openPart(options: ChunkedFileOptions, index: number, call: CallOptions): Promise<ImageFile> {
  const part = await options.openPart(index, call);
  const expected = Math.min(options.chunkBytes, options.sizeBytes - index * options.chunkBytes);
  if (part.sizeBytes === expected) return part;
  await part[Symbol.asyncDispose]();
  throw new ProblemError(
    'DiskImageTruncated',
    `${part.name} has ${part.sizeBytes ?? 'an unknown number of'} bytes instead of ${expected}`,
  );
}

async function identityOf(
  options: ChunkedFileOptions,
  call: CallOptions,
  ask: (part: ImageFile) => string | Promise<string>,
): Promise<string> {
  const parts: string[] = [];
  const count = options.hasRanges ? Math.ceil(options.sizeBytes / options.chunkBytes) : 1;
  for (let index = 0; index < count; index += 1) {
    await using part = await openPart(options, index, call);
    parts.push(await ask(part));
  }
  // A digest of it, since there may be thousands of parts and checkpoints are small.
  return `chunks ${createHash('sha256').update(parts.join('\n')).digest('hex')}`;
}
