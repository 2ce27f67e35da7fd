import { join } from 'node:path';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import { openQcow2Writer } from '../../formats/qcow2/qcow2-writer.ts';
import { createRawWriter } from '../../formats/raw/raw-writer.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { Storage, StorageFolder } from '../../ports/storage.ts';
import type { FinishOptions, MachineTarget, TargetDocument } from '../../ports/target.ts';
import { emptyPartial, removePartial } from './remove-partial.ts';
import { SpaceReserve } from './space-reserve.ts';

export interface DirMachineParts {
  readonly storage: Storage;
  readonly place: { readonly final: string; readonly partial: string };
  readonly format: 'qcow2' | 'raw';
  readonly compression: 'none' | 'zstd';
  readonly lock: AsyncDisposable;
  /** The topmost folder that was made for this machine. */
  readonly firstMade: string | undefined;
}

const MAX_STATE_BYTES = 64 * 1024;

/** One machine's folder while it is being written; dir-target.ts shows what lies where. */
export class DirMachine implements MachineTarget {
  readonly location: string;
  readonly partialLocation: string;
  #isContinued = false;
  #hasState = false;
  #isGone = false;
  readonly #parts: DirMachineParts;
  /** What only the transfer needs. */
  readonly #work: StorageFolder;
  /** What will be the result. */
  readonly #machine: StorageFolder;
  readonly #machinePath: string;
  readonly #reserve: SpaceReserve;

  constructor(parts: DirMachineParts) {
    const { storage, place } = parts;
    this.#parts = parts;
    this.location = place.final;
    this.partialLocation = place.partial;
    this.#machinePath = join(place.partial, 'machine');
    this.#work = storage.openFolder(place.partial);
    this.#machine = storage.openFolder(this.#machinePath);
    this.#reserve = new SpaceReserve(this.#work);
  }

  get isContinued(): boolean {
    return this.#isContinued;
  }

  /** Looks at what an earlier run left, and removes it when asked to begin again, or when no checkpoint tells what it is worth. */
  async prepare(restart: boolean): Promise<void> {
    const { storage, place } = this.#parts;
    this.#isContinued = !restart && (await this.#work.listFiles()).some((name) => name.endsWith('.state'));
    this.#hasState = this.#isContinued;
    if (!this.#isContinued) await emptyPartial(storage, place.partial);
    await storage.makeFolder(this.#machinePath);
  }

  diskFileName(index: number): string {
    return `disk-${index}.${this.#parts.format}`;
  }

  async hasDisk(index: number): Promise<boolean> {
    return (await this.#machine.listFiles()).includes(this.diskFileName(index));
  }

  async openDisk(index: number, virtualSizeBytes: number): Promise<DiskWriter> {
    const { format, compression } = this.#parts;
    await this.#reserve.hold();
    await using opened = new AsyncDisposableStack();
    const image = opened.use(await this.#machine.openFile(this.diskFileName(index), { create: true }));
    if (format === 'raw') {
      opened.move(); // From here on the writer has it.
      return createRawWriter(image, virtualSizeBytes);
    }
    const journal = this.#reserve.guard(opened.use(await this.#work.openFile(journalName(index), { create: true })));
    // The names must be as durable as the bytes, or a checkpoint could outlive the file it speaks of.
    await this.#work.sync();
    opened.move(); // From here on the writer has them.
    return openQcow2Writer({ image, journal, virtualSizeBytes, compression });
  }

  async allocatedBytes(index: number): Promise<number> {
    await using file = await this.#machine.openFile(this.diskFileName(index));
    return (await file?.allocatedBytes()) ?? 0;
  }

  async discardDisk(index: number): Promise<void> {
    await this.#work.removeFile(stateName(`disk-${index}`));
    await this.#work.sync();
    await this.#work.removeFile(journalName(index));
    await this.#machine.removeFile(this.diskFileName(index));
  }

  async loadState(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#work.readSmallFile(stateName(key), MAX_STATE_BYTES);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new ProblemError('CheckpointUnusable', cause.message, { cause });
    }
  }

  async saveState(key: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > MAX_STATE_BYTES) throw new RangeError(`the state "${key}" has ${bytes.length} bytes`);
    // A checkpoint must never be more durable than the existence of the file it speaks of.
    await this.#machine.sync();
    await this.#reserve.spend(() => this.#work.replaceFile(stateName(key), bytes));
    this.#hasState = true;
  }

  async finish(documents: readonly TargetDocument[], { onRemark }: FinishOptions = {}): Promise<void> {
    const { storage, place } = this.#parts;
    await this.#reserve.release();
    // A document that a dying run was about to replace leaves its new text behind under another name.
    for (const name of await this.#machine.listFiles()) if (name.endsWith('.new')) await this.#machine.removeFile(name);
    for (const { name, text } of documents) await this.#machine.replaceFile(name, Buffer.from(text));
    await storage.moveFolder(this.#machinePath, place.final);
    try {
      await this.#remove();
    } catch (error) {
      // To fail now would send the user to run the same command again, which could only find that the machine exists.
      if (!isProblem(error)) throw error;
      onRemark?.(`${place.partial} is not needed any more and could not be removed: ${error.message}`);
    }
  }

  async discard(): Promise<void> {
    const { storage, place, firstMade } = this.#parts;
    await this.#remove();
    // Folders above, if they were made for this machine, go too: nothing is left behind.
    for (
      let folder = join(place.partial, '..');
      firstMade !== undefined && folder.length >= firstMade.length;
      folder = join(folder, '..')
    ) {
      await storage.removeFolderIfEmpty(folder);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A run that ended before its first checkpoint has nothing to continue.
    if (!this.#isGone && !this.#hasState) return this.discard();
    await this.#parts.lock[Symbol.asyncDispose]();
  }

  async #remove(): Promise<void> {
    const { storage, place, lock } = this.#parts;
    this.#isGone = true;
    await removePartial(storage, place.partial, lock);
  }
}

function stateName(key: string): string {
  return `${key}.state`;
}

function journalName(index: number): string {
  return `disk-${index}.journal`;
}
