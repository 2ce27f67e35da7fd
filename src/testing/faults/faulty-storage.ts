import { basename } from 'node:path';
import { ProblemError } from '../../domain/problems.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Storage, StorageFile, StorageFolder } from '../../ports/storage.ts';
import { type ActiveFaults, type FaultPlace, withFlippedBit } from './fault-plan.ts';

/** `rename`: giving a folder its final name. `replace`: writing a small file as a whole (checkpoints, documents). */
export type StorageOperation = 'write' | 'read' | 'sync' | 'replace' | 'rename';

/**
 * What may go wrong with the storage of a target. Operations are counted by kind, over the files that the fault is about; bytes are those written (or read) by these operations so
 * far, not offsets.
 * - `fail`: EIO; nothing was done. `full`: ENOSPC.
 * - `short`: half of the bytes are written or read, and success is reported. `flip`: one bit is turned on the way.
 * - `slow`: it takes `ms` of the clock.
 */
export type StorageFault = {
  readonly on: StorageOperation;
  /** Spoils operations on files of such names only. */
  readonly file?: RegExp;
} & ({ readonly does: 'fail' | 'full' | 'short' | 'flip' } | { readonly does: 'slow'; readonly ms: number });

export interface StorageCount {
  readonly operations: number;
  readonly bytes: number;
}

/** How much of a kind was done to files of such names (all of them unless told), to find places for faults. */
export type CountStorage = (on: StorageOperation, file?: RegExp) => StorageCount;

export interface FaultyStorage extends Storage {
  readonly count: CountStorage;
}

/** The same storage, spoilt as planned. Its files have nothing but what the port names, so that all reading and writing passes here. */
export function faultyStorage(
  storage: Storage,
  parts: { readonly faults: ActiveFaults<StorageFault>; readonly clock: Clock },
): FaultyStorage {
  const spoiler = new Spoiler(parts.faults, parts.clock);
  return {
    count: (on, file) => spoiler.count(on, file),
    openFolder: (path) => new FaultyFolder(storage.openFolder(path), spoiler),
    moveFolder: (from, to) => spoiler.act('rename', basename(to), 0, () => storage.moveFolder(from, to)),
    exists: (path) => storage.exists(path),
    makeFolder: (path) => storage.makeFolder(path),
    removeFolder: (path) => storage.removeFolder(path),
    removeFolderIfEmpty: (path) => storage.removeFolderIfEmpty(path),
    lockFolder: (path) => storage.lockFolder(path),
    findWriteProblem: (path) => storage.findWriteProblem(path),
    freeBytes: (path) => storage.freeBytes(path),
  };
}

interface Struck {
  readonly fault: StorageFault;
  /** Byte of this operation that the fault lies at. */
  readonly within: number;
}

/** Counts operations and says which are spoilt. */
class Spoiler {
  readonly #counts = new Map<
    string,
    { readonly on: StorageOperation; readonly name: string; operations: number; bytes: number }
  >();
  readonly #faults: ActiveFaults<StorageFault>;
  readonly #clock: Clock;

  constructor(faults: ActiveFaults<StorageFault>, clock: Clock) {
    this.#faults = faults;
    this.#clock = clock;
  }

  count(on: StorageOperation, file?: RegExp): StorageCount {
    const sum = { operations: 0, bytes: 0 };
    for (const each of this.#counts.values()) {
      if (each.on !== on || (file !== undefined && !file.test(each.name))) continue;
      sum.operations += each.operations;
      sum.bytes += each.bytes;
    }
    return sum;
  }

  /** @param act gets the fault that it has to bring about itself (`short`, `flip`) */
  async act<T>(
    on: StorageOperation,
    name: string,
    bytes: number,
    act: (struck: Struck | undefined) => Promise<T>,
  ): Promise<T> {
    const key = `${on} ${name}`;
    const count = this.#counts.get(key) ?? { on, name, operations: 0, bytes: 0 };
    this.#counts.set(key, count);
    count.operations += 1;
    count.bytes += bytes;
    const taken = this.#faults.take((fault) => {
      if (fault.on !== on || (fault.file !== undefined && !fault.file.test(name))) return undefined;
      const done = this.count(on, fault.file);
      return { number: done.operations, from: done.bytes - bytes, to: done.bytes };
    });
    if (taken === undefined) return await act(undefined);
    const { fault, at } = taken;
    const from = this.count(on, fault.file).bytes - bytes;
    if (fault.does === 'fail')
      throw new ProblemError(on === 'read' ? 'TargetReadFailed' : 'TargetWriteFailed', `cannot ${on} ${name}: EIO`);
    if (fault.does === 'full') throw new ProblemError('TargetFull', `cannot ${on} ${name}: ENOSPC`);
    if (fault.does === 'slow') await this.#clock.delay(fault.ms);
    return await act({ fault, within: placeWithin(at, from, bytes) });
  }
}

function placeWithin(at: FaultPlace, from: number, bytes: number): number {
  return 'byte' in at && at.byte >= from && at.byte < from + bytes ? at.byte - from : Math.floor(bytes / 2);
}

function spoilt(bytes: Uint8Array, struck: Struck | undefined): Uint8Array {
  if (struck?.fault.does === 'flip') return withFlippedBit(bytes, struck.within);
  return struck?.fault.does === 'short' ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes;
}

class FaultyFolder implements StorageFolder {
  readonly path: string;
  readonly #folder: StorageFolder;
  readonly #spoiler: Spoiler;

  constructor(folder: StorageFolder, spoiler: Spoiler) {
    this.path = folder.path;
    this.#folder = folder;
    this.#spoiler = spoiler;
  }

  async openFile(name: string, options: { readonly create: true }): Promise<StorageFile>;
  async openFile(name: string, options?: { readonly create?: boolean }): Promise<StorageFile | undefined>;
  async openFile(name: string, options?: { readonly create?: boolean }): Promise<StorageFile | undefined> {
    const file = await this.#folder.openFile(name, options);
    return file && new FaultyFile(file, basename(name), this.#spoiler);
  }

  async readSmallFile(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return await this.#folder.readSmallFile(name, maxBytes);
  }

  async replaceFile(name: string, bytes: Uint8Array): Promise<void> {
    await this.#spoiler.act('replace', name, bytes.length, (struck) =>
      this.#folder.replaceFile(name, spoilt(bytes, struck)),
    );
  }

  async removeFile(name: string): Promise<void> {
    await this.#folder.removeFile(name);
  }

  async listFiles(): Promise<string[]> {
    return await this.#folder.listFiles();
  }

  async sync(): Promise<void> {
    await this.#spoiler.act('sync', basename(this.path), 0, () => this.#folder.sync());
  }
}

class FaultyFile implements StorageFile {
  readonly name: string;
  readonly #file: StorageFile;
  readonly #shortName: string;
  readonly #spoiler: Spoiler;

  constructor(file: StorageFile, shortName: string, spoiler: Spoiler) {
    this.name = file.name;
    this.#file = file;
    this.#shortName = shortName;
    this.#spoiler = spoiler;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#spoiler.act('write', this.#shortName, bytes.length, (struck) =>
      this.#file.write(offset, spoilt(bytes, struck)),
    );
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    return await this.#spoiler.act('read', this.#shortName, into.length, async (struck) => {
      const length = await this.#file.read(offset, struck?.fault.does === 'short' ? spoilt(into, struck) : into);
      if (struck?.fault.does === 'flip') into.set(spoilt(into.subarray(0, length), struck));
      return length;
    });
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#file.truncate(sizeBytes);
  }

  async sizeBytes(): Promise<number> {
    return await this.#file.sizeBytes();
  }

  async allocatedBytes(): Promise<number> {
    return await this.#file.allocatedBytes();
  }

  async sync(): Promise<void> {
    await this.#spoiler.act('sync', this.#shortName, 0, () => this.#file.sync());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
