import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import {
  access,
  constants,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  statfs,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ProblemError } from '../../domain/problems.ts';
import { fileExtents } from '../../formats/file-extents.ts';
import { errorCode, onStorage } from '../../formats/storage-problem.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { FileExtent } from '../../ports/image-file.ts';
import type { Storage, StorageFile, StorageFolder } from '../../ports/storage.ts';
import { lockFolder } from './lock-folder.ts';

/** The file system of this machine. */
export const nodeStorage: Storage = {
  openFolder: (path) => new NodeFolder(path),

  exists: (path) => isPresent(path),

  async makeFolder(path) {
    const missing: string[] = [];
    for (let folder = path; !(await isPresent(folder)); folder = dirname(folder)) missing.unshift(folder);
    // One by one: mkdir with `recursive` answers ENOENT where the file system is read-only.
    for (const folder of missing) {
      await onStorage('make the folder', folder, 'write', () => makeOne(folder));
      await syncFolder(dirname(folder));
    }
    return missing[0];
  },

  async moveFolder(from, to) {
    // rename(2) would replace an empty folder without a word.
    if (await isPresent(to)) throw new ProblemError('TargetExists', `${to} exists already`, { context: { path: to } });
    await onStorage('rename to', to, 'write', () => rename(from, to));
    await syncFolder(dirname(to));
    if (dirname(from) !== dirname(to)) await syncFolder(dirname(from));
  },

  async removeFolder(path) {
    await onStorage('remove', path, 'write', () => rm(path, { recursive: true, force: true }));
  },

  async removeFolderIfEmpty(path) {
    await onStorage('remove', path, 'write', async () => {
      try {
        await rmdir(path);
      } catch (error) {
        const code = errorCode(error);
        if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOENT') throw error;
      }
    });
  },

  lockFolder,

  async findWriteProblem(path) {
    let at = path;
    try {
      at = await nearestExisting(path);
      if (!(await stat(at)).isDirectory()) return `${at} is not a folder`;
      await access(at, constants.W_OK | constants.X_OK);
      return undefined;
    } catch (error) {
      const code = errorCode(error instanceof ProblemError ? error.cause : error);
      if (code === undefined) throw error;
      return `${at} may not be written (${code})`;
    }
  },

  async freeBytes(path) {
    const existing = await nearestExisting(path);
    const { bavail, bsize } = await onStorage('look at the free space of', existing, 'read', () => statfs(existing));
    return bavail * bsize;
  },
};

/** Opens a file that is only to be read, as on a medium that cannot be written. Undefined when it is missing. */
export async function openForReading(path: string): Promise<StorageFile | undefined> {
  try {
    return new NodeFile(path, await open(path, 'r'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    return onStorage('open', path, 'read', () => Promise.reject(error));
  }
}

class NodeFolder implements StorageFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async openFile(name: string, options: { readonly create: true }): Promise<StorageFile>;
  async openFile(name: string, options?: { readonly create?: boolean }): Promise<StorageFile | undefined>;
  async openFile(name: string, options: { readonly create?: boolean } = {}): Promise<StorageFile | undefined> {
    const path = join(this.path, name);
    try {
      return new NodeFile(path, await open(path, 'r+'));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') return onStorage('open', path, 'write', () => Promise.reject(error));
    }
    if (options.create !== true) return undefined;
    return new NodeFile(path, await onStorage('create', path, 'write', () => open(path, 'wx+', 0o644)));
  }

  async readSmallFile(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    await using file = await this.openFile(name);
    if (file === undefined) return undefined;
    const sizeBytes = await file.sizeBytes();
    if (sizeBytes > maxBytes)
      throw new RangeError(`${join(this.path, name)} has ${sizeBytes} bytes; ${maxBytes} are allowed`);
    const bytes = new Uint8Array(sizeBytes);
    return bytes.subarray(0, await file.read(0, bytes));
  }

  async replaceFile(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.path, name);
    const temporary = `${path}.${randomUUID()}.new`;
    await onStorage('write', path, 'write', async () => {
      try {
        await using handle = await open(temporary, 'wx', 0o644);
        await handle.writeFile(bytes);
        await handle.sync();
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
    await this.sync();
  }

  async removeFile(name: string): Promise<void> {
    const path = join(this.path, name);
    await onStorage('remove', path, 'write', () => rm(path, { force: true }));
  }

  async listFiles(): Promise<string[]> {
    return onStorage('list', this.path, 'read', () => readdir(this.path));
  }

  async sync(): Promise<void> {
    await syncFolder(this.path);
  }
}

class NodeFile implements StorageFile {
  readonly name: string;
  readonly path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.name = path;
    this.path = path;
    this.#handle = handle;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await onStorage('write', this.name, 'write', async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, offset + done);
        if (bytesWritten === 0) throw new ProblemError('TargetWriteFailed', `${this.name} takes no bytes at ${offset}`);
        done += bytesWritten;
      }
    });
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    return onStorage('read', this.name, 'read', async () => {
      let done = 0;
      while (done < into.length) {
        const { bytesRead } = await this.#handle.read(into, done, into.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  async *dataExtents(options?: CallOptions): AsyncGenerator<FileExtent, void> {
    yield* fileExtents(this.#handle.fd, await this.sizeBytes(), options);
  }

  async truncate(sizeBytes: number): Promise<void> {
    await onStorage('set the size of', this.name, 'write', () => this.#handle.truncate(sizeBytes));
  }

  async sizeBytes(): Promise<number> {
    return (await this.#stat()).size;
  }

  async allocatedBytes(): Promise<number> {
    // st_blocks counts 512 bytes whatever the file system's own block size is (stat(2)).
    return (await this.#stat()).blocks * 512;
  }

  async sync(): Promise<void> {
    await onStorage('flush', this.name, 'write', () => this.#handle.sync());
  }

  /** close(2) can be the first to tell that a write over a network failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await onStorage('close', this.name, 'write', () => this.#handle.close());
  }

  #stat(): Promise<Stats> {
    return onStorage('look at', this.name, 'read', () => this.#handle.stat());
  }
}

/** A rename or a new name is durable only when the folder that holds it was flushed (fsync(2)). */
async function syncFolder(path: string): Promise<void> {
  await onStorage('flush', path, 'write', async () => {
    await using folder = await open(path, 'r');
    await folder.sync();
  });
}

/** Another process may make the same folder at the same time. */
async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
  }
}

async function isPresent(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    return onStorage('look at', path, 'read', () => Promise.reject(error));
  }
}

async function nearestExisting(path: string): Promise<string> {
  let folder = path;
  while (!(await isPresent(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
