import type { Finding } from '../../domain/finding.ts';
import type { Disk, Machine } from '../../domain/machine.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { OvfMachine, OvfPackage } from '../../formats/ova/ovf-package.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { ExpectedDigest } from '../../ports/image-file.ts';
import type { MachineSummary, Source } from '../../ports/source.ts';
import { type Appliance, fileOfDisk, selectMachine } from './appliance.ts';
import { openDiskOf } from './open-disk.ts';
import { preflightAppliance } from './ova-preflight.ts';
import { digestOf, findStoredParts } from './stored-file.ts';

export interface OvaSourceOptions {
  /** Without secrets. */
  readonly location: string;
  readonly clock: Clock;
  /** What opening the source showed. */
  readonly findings: readonly Finding[];
  /** Closed with the source. */
  readonly connection?: AsyncDisposable;
}

/** An OVF appliance as a source: an .ova, a folder or an .ovf, here or behind a server. */
export class OvaSource implements Source {
  readonly kind = 'ova';
  readonly location: string;
  readonly isStreamed: boolean;
  /** Present where the manifest may come after the disks. */
  readonly lateDigests?: NonNullable<Source['lateDigests']>;
  readonly #appliance: Appliance;
  readonly #options: OvaSourceOptions;

  /** Owns the appliance from now on. */
  constructor(appliance: Appliance, options: OvaSourceOptions) {
    this.#appliance = appliance;
    this.#options = options;
    this.location = options.location;
    this.isStreamed = appliance.files.isStreamed;
    if (appliance.files.readToEnd)
      this.lateDigests = (machine, disk, call) => this.#readLateDigests(machine, disk, call ?? {});
  }

  async *listMachines(options: CallOptions = {}): AsyncGenerator<MachineSummary, void> {
    const { machines } = await this.#appliance.readPackage(options);
    for (const { machine } of machines) {
      yield {
        id: machine.id,
        name: machine.name,
        diskCount: machine.disks.length,
        virtualSizeBytes: machine.disks.reduce((sum, disk) => sum + disk.virtualSizeBytes, 0),
      };
    }
  }

  async inspect(ref: string | undefined, options: CallOptions = {}): Promise<Machine> {
    const ovf = await this.#appliance.readPackage(options);
    const { machine } = selectMachine(ovf, ref, this.location);
    return this.isStreamed ? withReadingOrder(machine, ovf) : machine;
  }

  async *preflight(machine: Machine, options: CallOptions = {}): AsyncGenerator<Finding, void> {
    yield* this.#options.findings;
    yield* preflightAppliance(this.#appliance, await this.#find(machine, options), {
      ...options,
      now: new Date(this.#options.clock.now()),
    });
  }

  async openDisk(machine: Machine, disk: Disk, options: CallOptions = {}): Promise<DiskReader> {
    const ovf = await this.#appliance.readPackage(options);
    const file = fileOfDisk(ovf, await this.#find(machine, options), disk.id);
    if (!file) throw new TypeError(`disk ${disk.id} has no file to open`);
    const manifest = await this.#appliance.readManifest(options);
    return await openDiskOf(this.#appliance.files, file, {
      signal: options.signal,
      manifest: manifest === 'later' ? undefined : manifest,
      virtualSizeBytes: disk.virtualSizeBytes,
      declaredFormat: disk.declaredFormat,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#appliance[Symbol.asyncDispose]();
    await this.#options.connection?.[Symbol.asyncDispose]();
  }

  async #find(machine: Machine, options: CallOptions): Promise<OvfMachine> {
    return selectMachine(await this.#appliance.readPackage(options), machine.id, this.location);
  }

  async #readLateDigests(machine: Machine, disk: Disk, options: CallOptions): Promise<readonly ExpectedDigest[]> {
    const { files } = this.#appliance;
    const file = fileOfDisk(await this.#appliance.readPackage(options), await this.#find(machine, options), disk.id);
    // Only as far as needed: what lies between here and the end would have to be passed again.
    if ((await this.#appliance.readManifest(options)) === 'later') await files.readToEnd?.(options);
    const manifest = await this.#appliance.readManifest(options);
    if (!file || manifest === undefined || manifest === 'later') return [];
    // What preflight would have told, had it been there to look at.
    const signature = await this.#appliance.checkSignature(new Date(this.#options.clock.now()), options);
    if (signature?.status === 'invalid') throw new ProblemError('SignatureInvalid', signature.detail);
    const changed = await this.#appliance.checkDescriptor(manifest, options);
    if (changed) throw changed;

    const { parts, chunkBytes } = await findStoredParts(files, file, options);
    // Digests of chunks would need a hash per chunk, which nobody made while their number was unknown to whoever hashed.
    if (chunkBytes !== undefined) return [];
    return parts.flatMap(({ href, located }) => {
      const digest = digestOf(manifest, href);
      return digest && located.sizeBytes !== undefined ? [{ ...digest, storedBytes: located.sizeBytes }] : [];
    });
  }
}

/** In an archive the files lie in the order of the References section (DSP0243 5.3). */
function withReadingOrder(machine: Machine, ovf: OvfPackage): Machine {
  const places = new Map(ovf.files.map((file, index) => [file.href, index]));
  const disks = machine.disks.map((disk) => {
    const readingOrder = disk.fileName === undefined ? undefined : places.get(disk.fileName);
    return readingOrder === undefined ? disk : { ...disk, readingOrder };
  });
  return { ...machine, disks };
}
