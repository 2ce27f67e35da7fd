import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import {
  type FileExtent,
  type FileOrigin,
  HEAD_BYTES,
  type ImageFile,
  type StreamOptions,
} from '../ports/image-file.ts';
import type { StorageFile } from '../ports/storage.ts';

const PIECE_BYTES = 256 * 1024;

export interface StorageImageFileOptions {
  /** Whether disposing the image file closes the storage file; a writer keeps its own. */
  readonly ownsFile?: boolean;
}

/**
 * Looks at a file of the target as an image that can be read, for instance to compare it with what was to be written. Its size is the one it has now. Lanes that open it read past
 * the page cache, where the platform lets them.
 */
export async function storageImageFile(file: StorageFile, options: StorageImageFileOptions = {}): Promise<ImageFile> {
  return new StorageImageFile(file, await file.sizeBytes(), options.ownsFile ?? false);
}

class StorageImageFile implements ImageFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readonly expectedDigests = [];
  readonly origin?: FileOrigin;
  readonly dataExtents?: (options?: CallOptions) => AsyncIterable<FileExtent>;
  readonly #file: StorageFile;
  readonly #ownsFile: boolean;

  constructor(file: StorageFile, sizeBytes: number, ownsFile: boolean) {
    this.#file = file;
    this.#ownsFile = ownsFile;
    this.name = file.name;
    this.sizeBytes = sizeBytes;
    this.identity = identityOf(sizeBytes);
    if (file.path !== undefined) this.origin = { file: { path: file.path, offset: 0, sizeBytes, uncached: true } };
    if (file.dataExtents !== undefined) this.dataExtents = file.dataExtents.bind(file);
  }

  async readIdentity({ signal }: CallOptions = {}): Promise<string> {
    signal?.throwIfAborted();
    return identityOf(await this.#file.sizeBytes());
  }

  async readHead(options?: CallOptions): Promise<Uint8Array> {
    return await this.read(0, Math.min(HEAD_BYTES, this.sizeBytes), options);
  }

  async read(offset: number, length: number, { signal }: CallOptions = {}): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const into = Buffer.allocUnsafeSlow(length);
    const bytes = await this.#file.read(offset, into);
    if (bytes === length) return into;
    throw new ProblemError(
      'DiskImageTruncated',
      `${this.name} ends at byte ${offset + bytes}; ${length} bytes were expected from byte ${offset}`,
    );
  }

  async *stream({ from = 0, to, observe, signal }: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    const end = Math.min(to ?? this.sizeBytes, this.sizeBytes);
    for (let at = from; at < end; at += PIECE_BYTES) {
      const piece = await this.read(at, Math.min(PIECE_BYTES, end - at), { signal });
      observe?.(at, piece);
      yield piece;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ownsFile) await this.#file[Symbol.asyncDispose]();
  }
}

/** Never resumed from, so that the size, whose change would show in the content anyway, is enough. */
function identityOf(sizeBytes: number): string {
  return `written by this import, ${sizeBytes} bytes`;
}
