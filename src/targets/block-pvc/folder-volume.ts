import { statfs } from 'node:fs/promises';
import { createRawWriter } from '../../formats/raw/raw-writer.ts';
import { onStorage } from '../../formats/storage-problem.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { StorageFolder } from '../../ports/storage.ts';
import { tooSmall } from './block-volume.ts';
import type { Volume } from './volume.ts';

/** Where KubeVirt looks for the disk on a claim with a file system. */
export const DISK_FILE = 'disk.img';

export interface FolderVolumeOptions {
  /** Of the whole file system, used or not. */
  readonly totalBytes?: (path: string) => Promise<number>;
}

/** A claim's file system. The disk is a sparse file in it; a new file is zero, so that holes cost nothing. Other files there (`lost+found`) are left alone. */
export class FolderVolume implements Volume {
  readonly zeroMethod = undefined;
  readonly #folder: StorageFolder;
  readonly #totalBytes: (path: string) => Promise<number>;

  constructor(folder: StorageFolder, { totalBytes = totalBytesOf }: FolderVolumeOptions = {}) {
    this.#folder = folder;
    this.#totalBytes = totalBytes;
  }

  async hasDisk(): Promise<boolean> {
    return (await this.#folder.listFiles()).includes(DISK_FILE);
  }

  async openDisk(virtualSizeBytes: number, { isContinued }: { readonly isContinued: boolean }): Promise<DiskWriter> {
    // A sparse file may promise more than there is; the guest would find out when it has filled the rest.
    const totalBytes = await this.#totalBytes(this.#folder.path);
    if (totalBytes < virtualSizeBytes) throw tooSmall(this.#folder.path, totalBytes, virtualSizeBytes);
    await using opened = new AsyncDisposableStack();
    const file = opened.use(await this.#folder.openFile(DISK_FILE, { create: true }));
    // Whatever was in it would show through the holes.
    if (!isContinued) await file.truncate(0);
    // The name must be as durable as the bytes, or a checkpoint could outlive the file it speaks of.
    await this.#folder.sync();
    opened.move(); // From here on the writer has it.
    return await createRawWriter(file, virtualSizeBytes);
  }

  async allocatedBytes(): Promise<number> {
    await using file = await this.#folder.openFile(DISK_FILE);
    return (await file?.allocatedBytes()) ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function totalBytesOf(path: string): Promise<number> {
  const { blocks, bsize } = await onStorage('look at the size of', path, 'read', () => statfs(path));
  return blocks * bsize;
}
