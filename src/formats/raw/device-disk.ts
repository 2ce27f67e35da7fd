import { setImmediate } from 'node:timers/promises';
import type { StorageFile } from '../../ports/storage.ts';
import { onStorage } from '../storage-problem.ts';
import type { OpenDevice } from './open-device.ts';

/** How the holes of a disk became zeroes. `written` as soon as some of them had to be. */
export type ZeroMethod = 'punched' | 'written';

/** The kernel is asked for this much at a time: it cannot be interrupted meanwhile, and this process waits. */
const PUNCH_BYTES = 1024 ** 3;
const ZEROES_BYTES = 1024 ** 2;

/**
 * The first `virtualSizeBytes` of a device, as the raw image of a disk. What lies behind them is never touched, nor is the device made shorter or longer. Disposing it leaves the device
 * open, which the machine holds to its end, unless it `ownsDevice`.
 *
 * Bytes go through the page cache, where the kernel itself reads the rest of a logical block that is only written in part; so any size will do.
 * @throws ProblemError `TargetFull` (thin volumes), `TargetWriteFailed`, `TargetReadFailed`
 */
export class DeviceDisk implements StorageFile {
  readonly name: string;
  readonly path: string | undefined;
  readonly #device: OpenDevice;
  readonly #virtualSizeBytes: number;
  readonly #ownsDevice: boolean;
  #canPunch = true;
  #zeroMethod: ZeroMethod | undefined;
  #zeroes: Buffer | undefined;

  constructor(
    device: OpenDevice,
    virtualSizeBytes: number,
    { ownsDevice = false }: { readonly ownsDevice?: boolean } = {},
  ) {
    this.#ownsDevice = ownsDevice;
    this.name = device.path;
    this.path = device.lanePath;
    this.#device = device;
    this.#virtualSizeBytes = virtualSizeBytes;
  }

  /** Undefined while there was no hole. */
  get zeroMethod(): ZeroMethod | undefined {
    return this.#zeroMethod;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#refuseOutside(offset, bytes.length);
    const { handle } = this.#device;
    await onStorage('write', this.name, 'write', async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
        if (bytesWritten === 0) throw new Error(`${this.name} takes no bytes at ${offset + done}`);
        done += bytesWritten;
      }
    });
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const wanted = Math.max(0, Math.min(into.length, this.#virtualSizeBytes - offset));
    const { handle } = this.#device;
    return onStorage('read', this.name, 'read', async () => {
      let done = 0;
      while (done < wanted) {
        const { bytesRead } = await handle.read(into, done, wanted - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  /**
   * Makes a part of the disk read as zeroes. Only the hole itself is asked for, with a call that refuses where the device cannot do it without writing, because zeroing by
   * writing allocates a thin volume (ruling 5); after a refusal zeroes are written.
   */
  async zero(offset: number, length: number): Promise<void> {
    this.#refuseOutside(offset, length);
    const { logicalBlockBytes } = this.#device;
    const end = offset + length;
    const first = Math.ceil(offset / logicalBlockBytes) * logicalBlockBytes;
    const last = Math.floor(end / logicalBlockBytes) * logicalBlockBytes;
    if (!this.#canPunch || first >= last) return this.#writeZeroes(offset, end);
    await this.#writeZeroes(offset, first);
    // The disk's end need not be that of a block, and what follows in the block is not ours.
    await this.#writeZeroes(await this.#punch(first, last), end);
  }

  truncate(): Promise<void> {
    return Promise.reject(new Error(`${this.name} keeps its size`));
  }

  async sizeBytes(): Promise<number> {
    return this.#virtualSizeBytes;
  }

  /** What a block device really occupies is known to what lies below it only. */
  async allocatedBytes(): Promise<number> {
    return allocatedBytesOf(this.#device);
  }

  async sync(): Promise<void> {
    await onStorage('flush', this.name, 'write', () => this.#device.handle.sync());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ownsDevice) await this.#device[Symbol.asyncDispose]();
  }

  /** Returns how far it came: `end`, or where the device began to refuse. */
  async #punch(start: number, end: number): Promise<number> {
    for (let at = start; at < end; ) {
      const length = Math.min(PUNCH_BYTES, end - at);
      const answer = await onStorage('zero', this.name, 'write', async () => punchHole(this.#device, at, length));
      if (answer === 'unsupported') {
        this.#canPunch = false;
        return at;
      }
      this.#zeroMethod ??= 'punched';
      at += length;
      // The rest of the process has its turn between two runs.
      if (at < end) await setImmediate();
    }
    return end;
  }

  async #writeZeroes(start: number, end: number): Promise<void> {
    // A remainder at the end of the disk says nothing about what the device can do.
    if (!this.#canPunch && start < end) this.#zeroMethod = 'written';
    this.#zeroes ??= Buffer.alloc(ZEROES_BYTES);
    for (let at = start; at < end; at += ZEROES_BYTES) {
      await this.write(at, this.#zeroes.subarray(0, Math.min(ZEROES_BYTES, end - at)));
    }
  }

  #refuseOutside(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.#virtualSizeBytes) return;
    throw new RangeError(`${length} bytes at ${offset} leave the disk of ${this.#virtualSizeBytes}`);
  }
}

function punchHole({ calls, handle }: OpenDevice, offset: number, length: number): 'done' | 'unsupported' {
  try {
    return calls.punchHole(handle.fd, offset, length);
  } catch (error) {
    // By these two an error of the system is known, as Node makes them.
    if (error instanceof Error && 'code' in error) throw Object.assign(error, { syscall: 'fallocate' });
    throw error;
  }
}

/** A block device belongs to the disk as a whole; a regular file may have holes. */
export async function allocatedBytesOf({ handle, isBlockDevice, path, sizeBytes }: OpenDevice): Promise<number> {
  if (isBlockDevice) return sizeBytes;
  const { blocks } = await onStorage('look at', path, 'read', () => handle.stat());
  return blocks * 512;
}
