import type { CallOptions } from '../lib/call-options.ts';
import type { FileExtent } from './image-file.ts';

/**
 * The few things a target needs from a file system, so that tests can put a disk that loses unflushed writes in its place. All failures arrive as
 * ProblemError: `TargetFull`, `TargetNotWritable`, `TargetWriteFailed`, `TargetReadFailed`.
 */
export interface StorageFile extends AsyncDisposable {
  readonly name: string;
  /** Of a real file, which another thread may open for itself. */
  readonly path?: string | undefined;
  /** Writes all of `bytes`. Durable only after `sync`. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Fills `into` as far as the file reaches and returns the bytes read. */
  read(offset: number, into: Uint8Array): Promise<number>;
  /** The parts that hold data, rising, as ImageFile has it. Absent where nobody can tell without reading. */
  dataExtents?(options?: CallOptions): AsyncIterable<FileExtent>;
  truncate(sizeBytes: number): Promise<void>;
  sizeBytes(): Promise<number>;
  /** Bytes that take up space, without holes. */
  allocatedBytes(): Promise<number>;
  /** Returns when everything written before would survive a power cut. */
  sync(): Promise<void>;
}

/** One folder. Names are plain file names. */
export interface StorageFolder {
  readonly path: string;
  /** Opens for reading and writing; creates the file when `create` is set and it is missing. Undefined when it is missing and not created. */
  openFile(name: string, options: { readonly create: true }): Promise<StorageFile>;
  openFile(name: string, options?: { readonly create?: boolean }): Promise<StorageFile | undefined>;
  /** The whole content of a small file, or undefined when there is none. @throws RangeError past `maxBytes` */
  readSmallFile(name: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Old content or new content, never a mixture, also after a power cut; durable when it returns. */
  replaceFile(name: string, bytes: Uint8Array): Promise<void>;
  /** Missing files are fine. */
  removeFile(name: string): Promise<void>;
  listFiles(): Promise<string[]>;
  /** Makes creations, renames and removals in this folder durable. */
  sync(): Promise<void>;
}

/** A tree of folders. Paths are the platform's own; what is below them is reached through StorageFolder. */
export interface Storage {
  openFolder(path: string): StorageFolder;
  exists(path: string): Promise<boolean>;
  /** Makes a folder and its parents, durable; returns the topmost folder that was made, or undefined when all were there. */
  makeFolder(path: string): Promise<string | undefined>;
  /** Gives a folder its new name in one step, durable when it returns. @throws ProblemError `TargetExists` when something is there */
  moveFolder(from: string, to: string): Promise<void>;
  /** Removes a folder with all that is in it; a missing one is fine. */
  removeFolder(path: string): Promise<void>;
  /** Removes a folder if it is empty. */
  removeFolderIfEmpty(path: string): Promise<void>;
  /** Holds a folder against other processes until disposed. @throws ProblemError `TargetBusy` naming the holder */
  lockFolder(path: string): Promise<AsyncDisposable>;
  /** The problem that writing to `path` would meet because of permissions, or undefined. `path` need not exist. */
  findWriteProblem(path: string): Promise<string | undefined>;
  /** Bytes an unprivileged process may still write at or above `path`, which need not exist. */
  freeBytes(path: string): Promise<number>;
}
