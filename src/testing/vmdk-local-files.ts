import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../domain/problems.ts';
import { type DiskFiles, HEAD_BYTES, type ImageFile, type StreamOptions } from '../ports/image-file.ts';

/** A file of this machine as an image file: the least that a format test needs. */
class LocalImageFile implements ImageFile {
  readonly name: string;
  readonly identity: string;
  readonly expectedDigests = [];
  readonly sizeBytes?: number;
  readonly read?: NonNullable<ImageFile['read']>;
  readonly #handle: FileHandle;
  readonly #sizeBytes: number;

  constructor(name: string, handle: FileHandle, sizeBytes: number, isRanged: boolean) {
    this.name = name;
    this.identity = `size:${sizeBytes}`;
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
    if (!isRanged) return;
    this.sizeBytes = sizeBytes;
    this.read = async (offset, length) => {
      const bytes = await this.#readUpTo(offset, length);
      if (bytes.length < length) throw new ProblemError('DiskImageTruncated', `${name} ends at ${sizeBytes}`);
      return bytes;
    };
  }

  async readIdentity(): Promise<string> {
    return this.identity;
  }

  async readHead(): Promise<Uint8Array> {
    return await this.#readUpTo(0, HEAD_BYTES);
  }

  async *stream({
    from = 0,
    to = this.#sizeBytes,
    observe,
    signal,
  }: StreamOptions = {}): AsyncGenerator<Uint8Array, void> {
    for (let at = from; at < to; ) {
      signal?.throwIfAborted();
      const bytes = await this.#readUpTo(at, Math.min(1024 * 1024, to - at));
      if (bytes.length === 0) return;
      observe?.(at, bytes);
      yield bytes;
      at += bytes.length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #readUpTo(offset: number, length: number): Promise<Uint8Array> {
    const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  }
}

/** A disk image and its neighbours in a folder. `ranged: false` hides that files can be read at any place. */
export async function localDiskFiles(folder: string, name: string, options: { ranged: boolean }): Promise<DiskFiles> {
  const openLocal = async (each: string) => {
    const path = join(folder, each);
    return new LocalImageFile(each, await open(path), (await stat(path)).size, options.ranged);
  };
  return { main: await openLocal(name), open: openLocal };
}
