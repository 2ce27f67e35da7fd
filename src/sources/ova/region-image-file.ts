import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import {
  type ExpectedDigest,
  type FileExtent,
  type FileOrigin,
  HEAD_BYTES,
  type ImageFile,
  type StreamOptions,
} from '../../ports/image-file.ts';
import type { FileDigest } from './appliance-files.ts';
import type { RangedFile } from './ranged-file.ts';

export interface RegionOptions {
  readonly name: string;
  /** Where the region begins in the file; 0 unless told. */
  readonly offset?: number;
  /** To the end of the file unless told. */
  readonly sizeBytes?: number;
  readonly digest?: FileDigest | undefined;
  /** Whether disposing the region closes the file; an archive stays open for its other members. */
  readonly ownsFile?: boolean;
}

/** An image file that is a part of a file with ranges (a member of an .ova), or all of it. */
export class RegionImageFile implements ImageFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly expectedDigests: readonly ExpectedDigest[];
  readonly origin?: FileOrigin;
  readonly server: string | undefined;
  readonly dataExtents?: NonNullable<ImageFile['dataExtents']>;
  readonly #file: RangedFile;
  readonly #offset: number;
  readonly #ownsFile: boolean;

  constructor(file: RangedFile, options: RegionOptions) {
    this.#file = file;
    this.#offset = options.offset ?? 0;
    this.#ownsFile = options.ownsFile ?? false;
    this.name = options.name;
    this.server = file.server;
    this.sizeBytes = options.sizeBytes ?? file.sizeBytes - this.#offset;
    this.expectedDigests = options.digest ? [{ ...options.digest, storedBytes: this.sizeBytes }] : [];
    if (file.path !== undefined) {
      this.origin = { file: { path: file.path, offset: this.#offset, sizeBytes: this.sizeBytes } };
    }
    if (file.dataExtents !== undefined) {
      const whole = file.dataExtents.bind(file);
      this.dataExtents = (callOptions) => extentsIn(whole(callOptions), this.#offset, this.sizeBytes);
    }
  }

  get identity(): string {
    return this.#identityOf(this.#file.identity);
  }

  async readIdentity(options?: CallOptions): Promise<string> {
    return this.#identityOf(await this.#file.readIdentity(options));
  }

  async readHead(options?: CallOptions): Promise<Uint8Array> {
    return await this.read(0, Math.min(HEAD_BYTES, this.sizeBytes), options);
  }

  async read(offset: number, length: number, options?: CallOptions): Promise<Uint8Array> {
    options?.signal?.throwIfAborted();
    if (offset + length > this.sizeBytes) {
      throw new ProblemError(
        'DiskImageTruncated',
        `${this.name} has ${this.sizeBytes} bytes; ${length} were asked from byte ${offset}`,
      );
    }
    if (length === 0) return new Uint8Array(0);
    return await this.#file.read(this.#offset + offset, length, options);
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    const { from = 0, observe, signal, onRetry } = options;
    const to = Math.min(options.to ?? this.sizeBytes, this.sizeBytes);
    let at = from;
    for await (const piece of this.#file.stream(this.#offset + from, this.#offset + to, { signal, onRetry })) {
      observe?.(at, piece);
      at += piece.length;
      yield piece;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ownsFile) await this.#file[Symbol.asyncDispose]();
  }

  #identityOf(whole: string): string {
    return `${whole} region=${this.#offset}+${this.sizeBytes}`;
  }
}

/** What of the extents lies in a part of the file, counted from that part's beginning. */
async function* extentsIn(
  extents: AsyncIterable<FileExtent>,
  regionOffset: number,
  regionBytes: number,
): AsyncGenerator<FileExtent, void> {
  for await (const extent of extents) {
    const offset = Math.max(extent.offset - regionOffset, 0);
    const end = Math.min(extent.offset + extent.length - regionOffset, regionBytes);
    if (offset >= regionBytes) return;
    if (offset < end) yield { offset, length: end - offset };
  }
}
