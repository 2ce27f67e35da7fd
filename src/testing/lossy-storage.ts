import { basename, dirname, join } from 'node:path';
import { ProblemError } from '../domain/problems.ts';
import type { Storage, StorageFile, StorageFolder } from '../ports/storage.ts';
import { randomBelow } from './random.ts';

const PAGE_BYTES = 64 * 1024;
const SECTOR_BYTES = 512;

/** Bytes of a file, in pages; missing pages are zero. */
class Pages {
  sizeBytes = 0;
  readonly #pages = new Map<number, Uint8Array>();

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const page = Math.floor((offset + done) / PAGE_BYTES);
      const within = (offset + done) % PAGE_BYTES;
      const part = bytes.subarray(done, done + PAGE_BYTES - within);
      let held = this.#pages.get(page);
      if (held === undefined) {
        held = new Uint8Array(PAGE_BYTES);
        this.#pages.set(page, held);
      }
      held.set(part, within);
      done += part.length;
    }
    this.sizeBytes = Math.max(this.sizeBytes, offset + bytes.length);
  }

  read(offset: number, into: Uint8Array): number {
    const length = Math.max(0, Math.min(into.length, this.sizeBytes - offset));
    for (let done = 0; done < length; ) {
      const page = Math.floor((offset + done) / PAGE_BYTES);
      const within = (offset + done) % PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - within, length - done);
      const held = this.#pages.get(page);
      if (held === undefined) into.fill(0, done, done + part);
      else into.set(held.subarray(within, within + part), done);
      done += part;
    }
    return length;
  }

  truncate(sizeBytes: number): void {
    for (const page of this.#pages.keys()) if (page * PAGE_BYTES >= sizeBytes) this.#pages.delete(page);
    const last = this.#pages.get(Math.floor(sizeBytes / PAGE_BYTES));
    if (sizeBytes < this.sizeBytes) last?.fill(0, sizeBytes % PAGE_BYTES);
    this.sizeBytes = sizeBytes;
  }

  copy(): Pages {
    const other = new Pages();
    other.sizeBytes = this.sizeBytes;
    for (const [page, bytes] of this.#pages) other.#pages.set(page, Uint8Array.from(bytes));
    return other;
  }

  get allocatedBytes(): number {
    return this.#pages.size * PAGE_BYTES;
  }
}

type FileChange = { readonly offset: number; readonly bytes: Uint8Array } | { readonly sizeBytes: number };

/** A file with what everybody sees now, and what is certain to survive. */
class LossyFile {
  now = new Pages();
  durable = new Pages();
  unsynced: FileChange[] = [];
  /** Free space that its writes took, and that its removal gives back. */
  takenBytes = 0;

  apply(change: FileChange): void {
    applyChange(this.now, change);
    this.unsynced.push(change);
  }

  sync(): void {
    for (const change of this.unsynced) applyChange(this.durable, change);
    this.unsynced = [];
  }

  /** Each unflushed change survives wholly, in part, or not at all, in any order. */
  crash(random: () => number): void {
    const changes = this.unsynced.map((change) => ({ change, order: random() })).toSorted((a, b) => a.order - b.order);
    for (const { change } of changes) {
      const fate = random();
      if (fate < 0.4) applyChange(this.durable, change);
      else if (fate < 0.6 && 'bytes' in change) applyChange(this.durable, torn(change, random));
    }
    this.unsynced = [];
    this.now = this.durable.copy();
  }
}

function applyChange(pages: Pages, change: FileChange): void {
  if ('bytes' in change) pages.write(change.offset, change.bytes);
  else pages.truncate(change.sizeBytes);
}

function torn(change: { readonly offset: number; readonly bytes: Uint8Array }, random: () => number): FileChange {
  const sectors = Math.ceil(change.bytes.length / SECTOR_BYTES);
  const from = randomBelow(random, sectors) * SECTOR_BYTES;
  const to = Math.min(change.bytes.length, from + randomBelow(random, sectors + 1) * SECTOR_BYTES);
  return { offset: change.offset + from, bytes: change.bytes.subarray(from, Math.max(from, to)) };
}

type Entry = LossyFile | LossyFolder;

/** Names that change together, as both names of a rename do. */
type NameChange = readonly (readonly [name: string, entry: Entry | undefined])[];

/** Names in a folder, likewise now and durable. */
class LossyFolder {
  now = new Map<string, Entry>();
  durable = new Map<string, Entry>();
  unsynced: NameChange[] = [];

  set(...change: NameChange): void {
    applyNames(this.now, change);
    this.unsynced.push(change);
  }

  sync(): void {
    this.durable = new Map(this.now);
    this.unsynced = [];
  }

  crash(random: () => number): void {
    for (const change of survivingNames(this.unsynced, random)) applyNames(this.durable, change);
    this.unsynced = [];
    this.now = new Map(this.durable);
    for (const entry of new Set(this.now.values())) entry.crash(random);
  }
}

/** A journalled file system keeps changes of names up to some point; others keep any of them. */
function survivingNames(changes: readonly NameChange[], random: () => number): readonly NameChange[] {
  if (random() < 0.5) return changes.slice(0, randomBelow(random, changes.length + 1));
  return changes.filter(() => random() < 0.5);
}

function applyNames(names: Map<string, Entry>, change: NameChange): void {
  for (const [name, entry] of change) {
    if (entry === undefined) names.delete(name);
    else names.set(name, entry);
  }
}

/**
 * A file system in memory that forgets: at a `crash`, whatever was not flushed is kept, torn at sectors or lost, each write for itself and in any order; names likewise (ruling 6).
 * A process killed by SIGKILL leaves the page cache alive and therefore proves too little.
 */
export class LossyStorage implements Storage {
  readonly #root = new LossyFolder();
  readonly #locks = new Set<string>();
  /** Operations that change something, so far. */
  operations = 0;
  /** Called before each of them with its number; throw to stop there. */
  onOperation: (operation: number, what: string) => void = () => {};
  freeSpaceBytes = Number.POSITIVE_INFINITY;

  /** Which life of the process an open file belongs to. */
  generation = 0;

  /** Power is lost. Open files are gone, the storage itself is the machine after the restart. */
  crash(random: () => number): void {
    this.kill();
    this.#root.crash(random);
  }

  /** The process is gone, as by SIGKILL, and what it wrote is still there. */
  kill(): void {
    this.generation += 1;
    this.#locks.clear();
  }

  openFolder(path: string): StorageFolder {
    return new LossyStorageFolder(this, path);
  }

  async exists(path: string): Promise<boolean> {
    return this.find(path) !== undefined;
  }

  async makeFolder(path: string): Promise<string | undefined> {
    let first: string | undefined;
    let folder = this.#root;
    let at = '/';
    for (const name of path.split('/').filter(Boolean)) {
      at = join(at, name);
      let next = folder.now.get(name);
      if (next === undefined) {
        this.act(`make ${at}`);
        next = new LossyFolder();
        folder.set([name, next]);
        folder.sync();
        first ??= at;
      }
      if (!(next instanceof LossyFolder)) throw new ProblemError('TargetNotWritable', `${at} is not a folder`);
      folder = next;
    }
    return first;
  }

  async moveFolder(from: string, to: string): Promise<void> {
    const entry = this.find(from);
    if (this.find(to) !== undefined) throw new ProblemError('TargetExists', `${to} exists already`);
    if (entry === undefined) throw new Error(`there is no ${from}`);
    this.act(`move ${from}`);
    const source = this.folder(dirname(from));
    const target = this.folder(dirname(to));
    source.set([basename(from), undefined]);
    target.set([basename(to), entry]);
    // One journal entry in a real file system: never in both places, never in none.
    source.sync();
    target.sync();
  }

  async removeFolder(path: string): Promise<void> {
    const entry = this.find(path);
    if (entry === undefined) return;
    // As rm -r does it: one name after the other, so that a cut can fall in between.
    if (entry instanceof LossyFolder)
      for (const name of [...entry.now.keys()]) await this.removeFolder(join(path, name));
    this.act(`remove ${path}`);
    this.giveBack(entry);
    this.folder(dirname(path)).set([basename(path), undefined]);
  }

  async removeFolderIfEmpty(path: string): Promise<void> {
    const entry = this.find(path);
    if (entry instanceof LossyFolder && entry.now.size === 0) await this.removeFolder(path);
  }

  async lockFolder(path: string): Promise<AsyncDisposable> {
    if (this.#locks.has(path)) throw new ProblemError('TargetBusy', `${path} is locked`);
    this.#locks.add(path);
    return { [Symbol.asyncDispose]: async () => void this.#locks.delete(path) };
  }

  async findWriteProblem(): Promise<undefined> {
    return undefined;
  }

  async freeBytes(): Promise<number> {
    return this.freeSpaceBytes;
  }

  /** The content of a file as it is now. */
  readWhole(path: string): Buffer | undefined {
    const file = this.find(path);
    if (!(file instanceof LossyFile)) return undefined;
    const bytes = Buffer.alloc(file.now.sizeBytes);
    file.now.read(0, bytes);
    return bytes;
  }

  /** @internal */
  act(what: string): void {
    this.operations += 1;
    this.onOperation(this.operations, what);
  }

  /** @internal */
  take(file: LossyFile, name: string, bytes: number): void {
    if (bytes > this.freeSpaceBytes) throw new ProblemError('TargetFull', `cannot write ${name}: ENOSPC`);
    this.freeSpaceBytes -= bytes;
    file.takenBytes += bytes;
  }

  /** @internal */
  giveBack(entry: Entry | undefined): void {
    if (entry instanceof LossyFile) this.freeSpaceBytes += entry.takenBytes;
  }

  /** @internal */
  find(path: string): Entry | undefined {
    let entry: Entry | undefined = this.#root;
    for (const name of path.split('/').filter(Boolean))
      entry = entry instanceof LossyFolder ? entry.now.get(name) : undefined;
    return entry;
  }

  /** @internal */
  folder(path: string): LossyFolder {
    const entry = this.find(path);
    if (entry instanceof LossyFolder) return entry;
    throw new ProblemError('TargetWriteFailed', `there is no folder ${path}`);
  }
}

class LossyStorageFolder implements StorageFolder {
  readonly path: string;
  readonly #storage: LossyStorage;

  constructor(storage: LossyStorage, path: string) {
    this.#storage = storage;
    this.path = path;
  }

  async openFile(name: string, options: { readonly create: true }): Promise<StorageFile>;
  async openFile(name: string, options?: { readonly create?: boolean }): Promise<StorageFile | undefined>;
  async openFile(name: string, options: { readonly create?: boolean } = {}): Promise<StorageFile | undefined> {
    const folder = this.#storage.folder(this.path);
    let entry = folder.now.get(name);
    if (entry === undefined && options.create === true) {
      this.#storage.act(`create ${name}`);
      entry = new LossyFile();
      folder.set([name, entry]);
    }
    return entry instanceof LossyFile ? new LossyStorageFile(this.#storage, join(this.path, name), entry) : undefined;
  }

  async readSmallFile(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const bytes = this.#storage.readWhole(join(this.path, name));
    if (bytes !== undefined && bytes.length > maxBytes) throw new RangeError(`${name} has ${bytes.length} bytes`);
    return bytes;
  }

  async replaceFile(name: string, bytes: Uint8Array): Promise<void> {
    const folder = this.#storage.folder(this.path);
    const temporary = `${name}.${this.#storage.operations}.new`;
    const file = new LossyFile();
    this.#storage.act(`create ${temporary}`);
    folder.set([temporary, file]);
    this.#storage.act(`write ${temporary}`);
    this.#takeOrRemove(file, temporary, bytes.length);
    file.apply({ offset: 0, bytes: Uint8Array.from(bytes) });
    this.#storage.act(`sync ${temporary}`);
    file.sync();
    this.#storage.act(`rename ${temporary}`);
    this.#storage.giveBack(folder.now.get(name));
    folder.set([temporary, undefined], [name, file]);
    await this.sync();
  }

  async removeFile(name: string): Promise<void> {
    const folder = this.#storage.folder(this.path);
    if (!folder.now.has(name)) return;
    this.#storage.act(`remove ${name}`);
    this.#storage.giveBack(folder.now.get(name));
    folder.set([name, undefined]);
  }

  async listFiles(): Promise<string[]> {
    return [...this.#storage.folder(this.path).now.keys()];
  }

  async sync(): Promise<void> {
    this.#storage.act(`sync ${this.path}`);
    this.#storage.folder(this.path).sync();
  }

  #takeOrRemove(file: LossyFile, name: string, bytes: number): void {
    try {
      this.#storage.take(file, name, bytes);
    } catch (error) {
      this.#storage.folder(this.path).set([name, undefined]);
      throw error;
    }
  }
}

class LossyStorageFile implements StorageFile {
  readonly name: string;
  readonly #storage: LossyStorage;
  readonly #file: LossyFile;
  readonly #generation: number;

  constructor(storage: LossyStorage, name: string, file: LossyFile) {
    this.#generation = storage.generation;
    this.#storage = storage;
    this.name = name;
    this.#file = file;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#act('write');
    this.#storage.take(this.#file, this.name, bytes.length);
    this.#file.apply({ offset, bytes: Uint8Array.from(bytes) });
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    this.#refuseAfterEnd();
    return this.#file.now.read(offset, into);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#act('truncate');
    this.#file.apply({ sizeBytes });
  }

  async sizeBytes(): Promise<number> {
    return this.#file.now.sizeBytes;
  }

  async allocatedBytes(): Promise<number> {
    return this.#file.now.allocatedBytes;
  }

  async sync(): Promise<void> {
    this.#act('sync');
    this.#file.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #act(what: string): void {
    this.#refuseAfterEnd();
    this.#storage.act(`${what} ${this.name}`);
  }

  #refuseAfterEnd(): void {
    if (this.#generation !== this.#storage.generation)
      throw new Error(`${this.name} was opened by a process that is gone`);
  }
}
