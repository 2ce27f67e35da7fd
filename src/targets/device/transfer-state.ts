import { join } from 'node:path';
import { ProblemError } from '../../domain/problems.ts';
import type { Storage, StorageFolder } from '../../ports/storage.ts';
import type { TargetDocument } from '../../ports/target.ts';

/** Keeps what a transfer onto devices continues from, and at its end the documents. Held against other processes until disposed. */
export interface TransferState extends AsyncDisposable {
  /** For messages, and where the documents will be. */
  readonly location: string;
  /** Whether something of an earlier run is there. */
  readonly isContinued: boolean;
  load(key: string): Promise<Uint8Array | undefined>;
  /** Old or new content, never a mixture, and durable when it returns. */
  save(key: string, bytes: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  /** The moment of completion: keeps the documents and forgets the rest. */
  finish(documents: readonly TargetDocument[]): Promise<void>;
  /** Forgets everything. */
  discard(): Promise<void>;
}

/** The key that is saved first and removed first: without it the others mean nothing. */
export const RECORD_KEY = 'devices';

const RECORD_NAME = `${RECORD_KEY}.state`;
const MAX_STATE_BYTES = 64 * 1024;
/** The folder is the user's and may hold other things; only these are ours. */
const STATE = /^(disk-\d+|devices)\.state$/;
const DOCUMENTS = ['report.json', 'report.md', 'machine.yaml'];
const LEFTOVER = /^((disk-\d+|devices)\.state|machine\.yaml|report\.json|report\.md|lock)\.[0-9a-f-]{36}(\.new)?$/;

/** Tells whether a folder holds a finished import: a run that died while finishing left its record beside the report, and is to be continued. */
export async function isFinished(storage: Storage, path: string): Promise<boolean> {
  return (await storage.exists(join(path, 'report.json'))) && !(await storage.exists(join(path, RECORD_NAME)));
}

/**
 * The state as files in a folder of this machine, which is made where it is missing.
 * @throws ProblemError `TargetBusy`, `TargetExists`, `TargetNotWritable`
 */
export async function openFolderState(
  storage: Storage,
  path: string,
  { restart = false }: { readonly restart?: boolean } = {},
): Promise<TransferState> {
  const firstMade = await storage.makeFolder(path);
  const lock = await storage.lockFolder(path);
  try {
    if (await isFinished(storage, path)) {
      throw new ProblemError('TargetExists', `${path} holds a finished import`, { context: { path } });
    }
    const state = new FolderState({ storage, path, lock, firstMade });
    await state.prepare(restart);
    return state;
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

interface FolderStateParts {
  readonly storage: Storage;
  readonly path: string;
  readonly lock: AsyncDisposable;
  /** The topmost folder that was made. */
  readonly firstMade: string | undefined;
}

class FolderState implements TransferState {
  readonly location: string;
  readonly #parts: FolderStateParts;
  readonly #folder: StorageFolder;
  readonly #written: string[] = [];
  #isContinued = false;
  #hasState = false;
  #isGone = false;

  constructor(parts: FolderStateParts) {
    this.#parts = parts;
    this.location = parts.path;
    this.#folder = parts.storage.openFolder(parts.path);
  }

  get isContinued(): boolean {
    return this.#isContinued;
  }

  async prepare(restart: boolean): Promise<void> {
    const names = await this.#folder.listFiles();
    for (const name of names) if (LEFTOVER.test(name)) await this.#folder.removeFile(name);
    const hasRecord = names.includes(RECORD_NAME);
    // Of a run that died while finishing. Should this one fail, a report without a record would look finished.
    if (hasRecord) await this.#removeDurably(DOCUMENTS.filter((name) => names.includes(name)));
    if (restart || !hasRecord) await this.#removeStates();
    this.#isContinued = hasRecord && !restart;
    this.#hasState = this.#isContinued;
  }

  async load(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#folder.readSmallFile(`${key}.state`, MAX_STATE_BYTES);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new ProblemError('CheckpointUnusable', cause.message, { cause });
    }
  }

  async save(key: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > MAX_STATE_BYTES) throw new RangeError(`the state "${key}" has ${bytes.length} bytes`);
    await this.#folder.replaceFile(`${key}.state`, bytes);
    this.#hasState = true;
  }

  async remove(key: string): Promise<void> {
    await this.#removeDurably([`${key}.state`]);
  }

  async finish(documents: readonly TargetDocument[]): Promise<void> {
    for (const { name, text } of documents) {
      this.#written.push(name);
      await this.#folder.replaceFile(name, Buffer.from(text));
    }
    // Before this the next run finishes once more; after it the report alone says that all is done.
    await this.#removeStates();
    await this.#release();
  }

  async discard(): Promise<void> {
    const { storage, path, firstMade } = this.#parts;
    await this.#removeStates();
    for (const name of this.#written) await this.#folder.removeFile(name);
    await this.#release();
    // Folders that were made for this import go too: nothing is left behind.
    for (let folder = path; firstMade !== undefined && folder.length >= firstMade.length; folder = join(folder, '..')) {
      await storage.removeFolderIfEmpty(folder);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A run that ended before its first checkpoint has nothing to continue.
    if (!this.#isGone && !this.#hasState) return this.discard();
    await this.#release();
  }

  /** The record first and on its own, which is one step to whoever comes after a power cut. */
  async #removeStates(): Promise<void> {
    const names = (await this.#folder.listFiles()).filter((name) => STATE.test(name));
    await this.#removeDurably(names.filter((name) => name === RECORD_NAME));
    await this.#removeDurably(names.filter((name) => name !== RECORD_NAME));
  }

  async #removeDurably(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#folder.removeFile(name);
    if (names.length > 0) await this.#folder.sync();
  }

  async #release(): Promise<void> {
    this.#isGone = true;
    await this.#parts.lock[Symbol.asyncDispose]();
  }
}
