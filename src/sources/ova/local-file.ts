import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { type ProblemCode, ProblemError } from '../../domain/problems.ts';
import { fileExtents } from '../../formats/file-extents.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { FileExtent } from '../../ports/image-file.ts';
import type { RangedFile } from './ranged-file.ts';

const PIECE_BYTES = 256 * 1024;

/** A local file behind one handle. */
export class LocalFile implements RangedFile {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly identity: string;
  readonly #handle: FileHandle;
  #isClosed = false;

  private constructor(handle: FileHandle, name: string, path: string, stats: BigIntStats) {
    this.#handle = handle;
    this.name = name;
    this.path = path;
    this.sizeBytes = Number(stats.size);
    this.identity = identityOf(stats);
  }

  /**
   * @param options.name for messages; the path as the user wrote it unless told
   * @param options.refusesLinks for names that come from the appliance: a link is `ArchiveMemberUnsafe`
   * @throws ProblemError `SourceNotFound`, `SourceForbidden`, `SourceReadFailed`, `SourceKindUnsupported` when it is not a regular file
   */
  static async open(
    path: string,
    options: { readonly name?: string; readonly refusesLinks?: boolean } = {},
  ): Promise<LocalFile> {
    const name = options.name ?? path;
    const whole = options.refusesLinks ? path : await attempt(name, () => realpath(path));
    // O_NONBLOCK: opening a pipe that lies there must not wait for a writer. It means nothing for regular files.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (options.refusesLinks ? constants.O_NOFOLLOW : 0);
    const handle = await attempt(name, () => open(whole, flags), options.refusesLinks ? LINK_CODES : CODES);
    try {
      const stats = await attempt(name, () => handle.stat({ bigint: true }));
      if (!stats.isFile()) throw new ProblemError('SourceKindUnsupported', `${name} is not a regular file`);
      return new LocalFile(handle, name, whole, stats);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async readIdentity({ signal }: CallOptions = {}): Promise<string> {
    signal?.throwIfAborted();
    // By path: a file replaced by another one is a change too, though the handle still reads the old one.
    return identityOf(await attempt(this.name, () => stat(this.path, { bigint: true })));
  }

  async read(offset: number, length: number, { signal }: CallOptions = {}): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      signal?.throwIfAborted();
      const { bytesRead } = await attempt(this.name, () =>
        this.#handle.read(bytes, filled, length - filled, offset + filled),
      );
      if (bytesRead === 0) await this.#failShort(offset + filled);
      filled += bytesRead;
    }
    return bytes;
  }

  dataExtents(options: CallOptions = {}): AsyncIterable<FileExtent> {
    return fileExtents(this.#handle.fd, this.sizeBytes, options);
  }

  async *stream(from: number, to: number, options: CallOptions = {}): AsyncGenerator<Uint8Array, void> {
    for (let at = from; at < to; at += PIECE_BYTES) {
      yield await this.read(at, Math.min(PIECE_BYTES, to - at), options);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#handle.close();
  }

  async #failShort(end: number): Promise<never> {
    const stats = await attempt(this.name, () => this.#handle.stat({ bigint: true }));
    const what = `${this.name} ended at byte ${end}; it had ${this.sizeBytes} bytes when it was opened`;
    throw new ProblemError(identityOf(stats) === this.identity ? 'DiskImageTruncated' : 'SourceChanged', what);
  }
}

/** No device number: it may differ after a reboot, and a resume must survive that. */
function identityOf(stats: BigIntStats): string {
  return `file bytes=${stats.size} mtime=${stats.mtimeNs} inode=${stats.ino}`;
}

const CODES: Readonly<Record<string, ProblemCode>> = {
  ENOENT: 'SourceNotFound',
  ENOTDIR: 'SourceNotFound',
  ENAMETOOLONG: 'SourceNotFound',
  EACCES: 'SourceForbidden',
  EPERM: 'SourceForbidden',
  ELOOP: 'SourceNotFound',
};

const LINK_CODES = { ...CODES, ELOOP: 'ArchiveMemberUnsafe' } as const;

/** Does one thing to a local file and turns the system's error into a problem that names the file. */
export async function attempt<T>(
  name: string,
  act: () => Promise<T>,
  codes: Readonly<Record<string, ProblemCode>> = CODES,
): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    if (code === undefined || code.startsWith('ERR_')) throw cause;
    throw new ProblemError(codes[code] ?? 'SourceReadFailed', `${name}: ${code}`, { cause });
  }
}
