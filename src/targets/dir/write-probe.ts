import { randomUUID } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onStorage } from '../../formats/storage-problem.ts';
import { libc } from '../../lib/libc.ts';
import type { OpenProbeOptions, TargetProbe } from '../../ports/measure.ts';
import type { Storage, StorageFile } from '../../ports/storage.ts';

/**
 * Opens a file to measure by, in the folder or, where that is not there yet, in the nearest one above it. It has no name from the moment it is open, so that nothing is left however this
 * process ends.
 * @returns undefined when the folder cannot be written or has too little free space
 */
export async function openWriteProbe(
  storage: Storage,
  path: string,
  { maxBytes, keepFreeBytes, signal }: OpenProbeOptions,
): Promise<TargetProbe | undefined> {
  signal?.throwIfAborted();
  const place = await nearestExisting(storage, path);
  if ((await storage.findWriteProblem(place)) !== undefined) return undefined;
  if ((await storage.freeBytes(place)) < maxBytes + keepFreeBytes) return undefined;
  const folder = storage.openFolder(place);
  const name = `.airlift-probe-${randomUUID()}`;
  const file = await folder.openFile(name, { create: true });
  try {
    return new WriteProbe(file, await openForReadBack(file));
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  } finally {
    await folder.removeFile(name);
  }
}

async function nearestExisting(storage: Storage, path: string): Promise<string> {
  let folder = path;
  while (!(await storage.exists(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** A second descriptor, on which memory can be told to forget the file. */
async function openForReadBack({ path }: StorageFile): Promise<FileHandle | undefined> {
  return path === undefined ? undefined : onStorage('open', path, 'read', () => open(path, 'r'));
}

class WriteProbe implements TargetProbe {
  readonly #file: StorageFile;
  readonly #handle: FileHandle | undefined;
  #isForgotten = false;

  constructor(file: StorageFile, handle: FileHandle | undefined) {
    this.#file = file;
    this.#handle = handle;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#file.write(offset, bytes);
    this.#isForgotten = false;
  }

  async flush(): Promise<void> {
    await this.#file.sync();
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    // Once: asked for before each read, it would also drop what the system reads ahead.
    if (!this.#isForgotten && this.#handle !== undefined) libc.dropCache(this.#handle.fd, 0, 0);
    this.#isForgotten = true;
    await this.#file.read(offset, into);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _file = this.#file;
    await this.#handle?.close();
  }
}
