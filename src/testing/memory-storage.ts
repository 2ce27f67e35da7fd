import type { StorageFile } from '../ports/storage.ts';

/** A storage file in memory. Everything is durable at once; see lossy-storage.ts for one that is not. */
export class MemoryStorageFile implements StorageFile {
  readonly name: string;
  /** The content; may be looked at and damaged by tests. */
  bytes: Buffer<ArrayBuffer>;
  syncs = 0;

  constructor(name = 'memory', bytes: Uint8Array = new Uint8Array(0)) {
    this.name = name;
    this.bytes = Buffer.from(bytes);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#grow(offset + bytes.length);
    this.bytes.set(bytes, offset);
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const part = this.bytes.subarray(offset, offset + into.length);
    into.set(part);
    return part.length;
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#grow(sizeBytes);
    this.bytes = this.bytes.subarray(0, sizeBytes) as Buffer<ArrayBuffer>;
  }

  async sizeBytes(): Promise<number> {
    return this.bytes.length;
  }

  async allocatedBytes(): Promise<number> {
    return this.bytes.length;
  }

  async sync(): Promise<void> {
    this.syncs += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #grow(size: number): void {
    if (size <= this.bytes.length) return;
    const larger = Buffer.alloc(size);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}
