import { isProblem, ProblemError } from '../../domain/problems.ts';
import { allocatedBytesOf, DeviceDisk, type ZeroMethod } from '../../formats/raw/device-disk.ts';
import { type OpenDevice, openDevice } from '../../formats/raw/open-device.ts';
import { createRawWriter } from '../../formats/raw/raw-writer.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { Volume } from './volume.ts';

/**
 * Opens a claim's block device, which is held against others until disposed.
 * @throws ProblemError `VolumeNotWritable` where the runtime left the device to root, `TargetBusy`, `TargetNotWritable`
 */
export async function openBlockVolume(path: string): Promise<Volume> {
  try {
    return new BlockVolume(await openDevice(path));
  } catch (error) {
    const isDenied = isProblem(error, 'TargetNotWritable') && ['EACCES', 'EPERM'].includes(String(error.context.errno));
    if (!isDenied) throw error;
    const user = process.getuid?.();
    throw new ProblemError('VolumeNotWritable', `${error.message}: this process is user ${user}`, {
      cause: error,
      context: error.context,
    });
  }
}

/** Not known to be zero: whatever was on it shows through every hole that is not zeroed. */
export class BlockVolume implements Volume {
  readonly #device: OpenDevice;
  #disk: DeviceDisk | undefined;

  /** Owns the device from now on. */
  constructor(device: OpenDevice) {
    this.#device = device;
  }

  get zeroMethod(): ZeroMethod | undefined {
    return this.#disk?.zeroMethod;
  }

  async hasDisk(): Promise<boolean> {
    return true;
  }

  async openDisk(virtualSizeBytes: number): Promise<DiskWriter> {
    const { path, sizeBytes } = this.#device;
    if (sizeBytes < virtualSizeBytes) throw tooSmall(path, sizeBytes, virtualSizeBytes);
    const disk = new DeviceDisk(this.#device, virtualSizeBytes);
    this.#disk = disk;
    return await createRawWriter(disk, virtualSizeBytes, { zero: (offset, length) => disk.zero(offset, length) });
  }

  async allocatedBytes(): Promise<number> {
    return await allocatedBytesOf(this.#device);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device[Symbol.asyncDispose]();
  }
}

export function tooSmall(path: string, sizeBytes: number, virtualSizeBytes: number): ProblemError {
  const tell = (bytes: number) => `${formatBytes(bytes)} (${bytes} bytes)`;
  return new ProblemError('TargetTooSmall', `${path} has ${tell(sizeBytes)}; the disk has ${tell(virtualSizeBytes)}`, {
    context: { path, sizeBytes, virtualSizeBytes },
  });
}
