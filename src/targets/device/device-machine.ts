import { ProblemError } from '../../domain/problems.ts';
import { allocatedBytesOf, DeviceDisk } from '../../formats/raw/device-disk.ts';
import type { OpenDevice } from '../../formats/raw/open-device.ts';
import { createRawWriter } from '../../formats/raw/raw-writer.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { MachineTarget, TargetDocument } from '../../ports/target.ts';
import { continueRecord, encodeRecord, recordOf, type TransferRecord, withZeroMethod } from './transfer-record.ts';
import { RECORD_KEY, type TransferState } from './transfer-state.ts';

export interface DeviceMachineParts {
  readonly name: string;
  /** One per disk, in the order of the machine's disks. Disposed with the machine. */
  readonly devices: readonly OpenDevice[];
  /** Disposed with the machine. */
  readonly state: TransferState;
}

/**
 * One machine whose disks go onto devices, byte for byte. There is no partial place: a device that a failed import wrote to holds a part of a disk.
 * @throws ProblemError `PlanChanged`, `CheckpointUnusable` when the state is that of something else
 */
export async function openDeviceMachine(parts: DeviceMachineParts): Promise<MachineTarget> {
  const { name, devices, state } = parts;
  const fresh = recordOf(name, devices);
  return new DeviceMachine(parts, state.isContinued ? await continueRecord(state, fresh) : fresh);
}

class DeviceMachine implements MachineTarget {
  readonly location: string;
  readonly partialLocation: string;
  readonly isContinued: boolean;
  readonly #parts: DeviceMachineParts;
  readonly #disks = new Map<number, DeviceDisk>();
  #record: TransferRecord;
  /** As it is stored; undefined while it is not. */
  #savedRecord: TransferRecord | undefined;

  constructor(parts: DeviceMachineParts, record: TransferRecord) {
    this.#parts = parts;
    this.#record = record;
    this.location = parts.state.location;
    this.partialLocation = parts.state.location;
    this.isContinued = parts.state.isContinued;
    if (this.isContinued) this.#savedRecord = record;
  }

  diskFileName(index: number): string {
    return this.#device(index).path;
  }

  /** A device is always there; whether it is the right one was asked when it was opened. */
  async hasDisk(index: number): Promise<boolean> {
    return this.#device(index) !== undefined;
  }

  /** @throws ProblemError `TargetTooSmall` */
  async openDisk(index: number, virtualSizeBytes: number): Promise<DiskWriter> {
    const device = this.#device(index);
    if (device.sizeBytes < virtualSizeBytes) {
      throw new ProblemError('TargetTooSmall', tellTooSmall(device, index, virtualSizeBytes), {
        context: { path: device.path, sizeBytes: device.sizeBytes, virtualSizeBytes },
      });
    }
    const disk = new DeviceDisk(device, virtualSizeBytes);
    this.#disks.set(index, disk);
    return createRawWriter(disk, virtualSizeBytes, { zero: (offset, length) => disk.zero(offset, length) });
  }

  async allocatedBytes(index: number): Promise<number> {
    return allocatedBytesOf(this.#device(index));
  }

  /** What is on the device is not known to be zero anyway, so that nothing has to be done to it. */
  async discardDisk(index: number): Promise<void> {
    await this.#parts.state.remove(`disk-${index}`);
  }

  async loadState(key: string): Promise<Uint8Array | undefined> {
    return this.#parts.state.load(key);
  }

  async saveState(key: string, bytes: Uint8Array): Promise<void> {
    for (const [index, disk] of this.#disks) this.#record = withZeroMethod(this.#record, index, disk.zeroMethod);
    if (this.#record !== this.#savedRecord) {
      const record = this.#record;
      await this.#parts.state.save(RECORD_KEY, encodeRecord(record));
      this.#savedRecord = record;
    }
    await this.#parts.state.save(key, bytes);
  }

  async finish(documents: readonly TargetDocument[]): Promise<void> {
    await this.#parts.state.finish(documents);
  }

  async discard(): Promise<void> {
    await this.#parts.state.discard();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { state, devices } = this.#parts;
    await using stack = new AsyncDisposableStack();
    stack.use(state);
    for (const device of devices) stack.use(device);
  }

  #device(index: number): OpenDevice {
    const { devices } = this.#parts;
    const device = devices[index];
    if (device !== undefined) return device;
    throw new ProblemError(
      'TargetDevicesMismatch',
      `there is no device for disk ${index}; ${devices.length} were given`,
    );
  }
}

export function tellTooSmall({ path, sizeBytes }: OpenDevice, index: number, virtualSizeBytes: number): string {
  return `${path} has ${tellBytes(sizeBytes)}; disk ${index} has ${tellBytes(virtualSizeBytes)}`;
}

/** Sizes that differ by less than the rounding must not look the same. */
export function tellBytes(bytes: number): string {
  return `${formatBytes(bytes)} (${bytes} bytes)`;
}
