import type { Finding } from '../../domain/finding.ts';
import type { Disk, Machine } from '../../domain/machine.ts';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { MachineSummary, Source } from '../../ports/source.ts';
import type { ApplianceFiles } from './appliance-files.ts';
import { openDiskOf } from './open-disk.ts';

export interface LoneDiskOptions {
  /** Without secrets. */
  readonly location: string;
  /** File name of the image among `files`. */
  readonly fileName: string;
  readonly findings: readonly Finding[];
  /** Closed with the source. */
  readonly connection?: AsyncDisposable;
}

const CONTROLLER_ID = 'sata0';
const MEMORY_BYTES = 1024 ** 3;

/** A disk image without a description, taken for a small machine that has it as its only disk. */
export class LoneDiskSource implements Source {
  readonly kind = 'ova';
  readonly location: string;
  readonly isStreamed: boolean;
  readonly #files: ApplianceFiles;
  readonly #options: LoneDiskOptions;
  #machine: Machine | undefined;

  /** Owns the files from now on. */
  constructor(files: ApplianceFiles, options: LoneDiskOptions) {
    this.#files = files;
    this.#options = options;
    this.location = options.location;
    this.isStreamed = files.isStreamed;
  }

  async *listMachines(options: CallOptions = {}): AsyncGenerator<MachineSummary, void> {
    const { id, name, disks } = await this.inspect(undefined, options);
    yield { id, name, diskCount: disks.length, virtualSizeBytes: disks[0]?.virtualSizeBytes ?? 0 };
  }

  async inspect(ref: string | undefined, options: CallOptions = {}): Promise<Machine> {
    this.#machine ??= await this.#readMachine(options);
    const { name } = this.#machine;
    if (ref !== undefined && ref !== name) {
      throw new ProblemError(
        'MachineNotFound',
        `${this.location} is a disk image; its machine is called ${JSON.stringify(name)}, not ${JSON.stringify(ref)}`,
      );
    }
    return this.#machine;
  }

  async *preflight(machine: Machine, options: CallOptions = {}): AsyncGenerator<Finding, void> {
    yield* this.#options.findings;
    const message = `${this.#options.fileName} is only a disk: a machine with 1 CPU, 1 GiB memory, BIOS, no network and the disk on SATA is assumed.`;
    yield { severity: 'note', code: 'MachineAssumed', message };
    if (this.isStreamed) return; // inspect has seen all of it that a stream shows
    const [disk] = machine.disks;
    if (!disk) return;
    try {
      await using _reader = await this.openDisk(machine, disk, options);
    } catch (error) {
      if (!isProblem(error) || error.problem.retry !== 'never') throw error;
      yield { severity: 'blocker', code: error.code, message: error.message, subject: disk.id };
    }
  }

  async openDisk(_machine: Machine, disk: Disk, options: CallOptions = {}): Promise<DiskReader> {
    return await this.#open(disk.virtualSizeBytes, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
    await this.#options.connection?.[Symbol.asyncDispose]();
  }

  async #open(virtualSizeBytes: number | undefined, { signal }: CallOptions): Promise<DiskReader> {
    const { fileName } = this.#options;
    const options = { manifest: undefined, signal, ...(virtualSizeBytes === undefined ? {} : { virtualSizeBytes }) };
    return await openDiskOf(this.#files, { id: fileName, href: fileName }, options);
  }

  async #readMachine(options: CallOptions): Promise<Machine> {
    const { fileName } = this.#options;
    await using reader = await this.#open(undefined, options);
    const name = fileName.replace(/\.[^.]+$/, '') || fileName;
    const fileSizeBytes = reader.files[0]?.sizeBytes;
    return {
      id: name,
      name,
      cpu: { sockets: 1, coresPerSocket: 1, threadsPerCore: 1 },
      memoryBytes: MEMORY_BYTES,
      firmware: 'bios',
      isSecureBoot: false,
      hasTpm: false,
      controllers: [{ id: CONTROLLER_ID, bus: 'sata', model: '', busNumber: 0 }],
      disks: [
        {
          id: 'disk-1',
          name: fileName,
          virtualSizeBytes: reader.virtualSizeBytes,
          controllerId: CONTROLLER_ID,
          unit: 0,
          fileName,
          ...(fileSizeBytes === undefined ? {} : { fileSizeBytes }),
          ...(reader.allocation.kind === 'unknown' ? {} : { populatedBytes: reader.allocation.bytes }),
        },
      ],
      nics: [],
      otherDevices: [],
      settings: [],
    };
  }
}
