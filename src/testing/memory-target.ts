import { openRaw } from '../formats/raw/open-raw.ts';
import type { DiskWriter } from '../ports/disk-writer.ts';
import type { MachineTarget, TargetDocument } from '../ports/target.ts';
import { MemoryImageFile } from './memory-image-file.ts';

/** A machine's place in memory. Everything written is durable at once; `failWrites` and `damage` let tests go wrong where they want. */
export class MemoryMachineTarget implements MachineTarget {
  readonly location = 'memory:machine';
  readonly partialLocation = 'memory:machine.partial';
  isContinued = false;
  readonly disks = new Map<number, Buffer>();
  readonly states = new Map<string, Uint8Array>();
  documents: readonly TargetDocument[] | undefined;
  isDiscarded = false;
  /** Bytes written by all disks so far. */
  writtenBytes = 0;
  /** Called before each write; throw to fail. */
  onWrite: (disk: number, offset: number, bytes: Uint8Array) => void = () => {};
  /** Called when a disk is finished, before it is read back. */
  onFinish: (disk: Buffer) => void = () => {};
  onSave: (key: string) => void = () => {};

  diskFileName(index: number): string {
    return `disk-${index}.raw`;
  }

  async hasDisk(index: number): Promise<boolean> {
    return this.disks.has(index);
  }

  async openDisk(index: number, virtualSizeBytes: number): Promise<DiskWriter> {
    const bytes = this.disks.get(index) ?? Buffer.alloc(virtualSizeBytes);
    this.disks.set(index, bytes);
    return {
      virtualSizeBytes,
      isKnownZero: true,
      write: async (offset, piece) => {
        this.onWrite(index, offset, piece);
        if (offset + piece.length > bytes.length) throw new RangeError(`write past the end at ${offset}`);
        bytes.set(piece, offset);
        this.writtenBytes += piece.length;
      },
      read: async (offset, into) => void into.set(bytes.subarray(offset, offset + into.length)),
      flush: async () => {},
      finish: async () => this.onFinish(bytes),
      openWritten: () =>
        openRaw({ main: new MemoryImageFile(bytes), open: () => Promise.reject(new Error('one file')) }),
      allocatedBytes: async () => bytes.length,
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async allocatedBytes(index: number): Promise<number> {
    return this.disks.get(index)?.length ?? 0;
  }

  async discardDisk(index: number): Promise<void> {
    this.disks.delete(index);
  }

  async loadState(key: string): Promise<Uint8Array | undefined> {
    return this.states.get(key);
  }

  async saveState(key: string, bytes: Uint8Array): Promise<void> {
    this.onSave(key);
    this.states.set(key, bytes);
  }

  async finish(documents: readonly TargetDocument[]): Promise<void> {
    this.documents = documents;
  }

  async discard(): Promise<void> {
    this.isDiscarded = true;
    this.disks.clear();
    this.states.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
