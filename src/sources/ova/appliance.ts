import { createHash } from 'node:crypto';
import { ProblemError } from '../../domain/problems.ts';
import { type Manifest, parseManifest } from '../../formats/ova/manifest.ts';
import { parseOvf } from '../../formats/ova/ovf.ts';
import type { OvfFile, OvfMachine, OvfPackage } from '../../formats/ova/ovf-package.ts';
import { checkSignature, type SignatureResult } from '../../formats/ova/signature.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { ApplianceFiles, SmallFile } from './appliance-files.ts';
import { digestOf } from './stored-file.ts';

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_CERTIFICATE_BYTES = 1024 * 1024;

export interface ApplianceOptions {
  readonly deployment?: string | undefined;
  /** PEM texts that vouch for signers. */
  readonly signatureCaPem?: readonly string[] | undefined;
}

/** An OVF package: its files, and what descriptor, manifest and certificate say. Nothing of it is read before it is asked for. */
export class Appliance implements AsyncDisposable {
  readonly files: ApplianceFiles;
  readonly #options: ApplianceOptions;
  #descriptor: SmallFile | undefined;
  #ovf: OvfPackage | undefined;
  /** Manifest and certificate by extension, once it is certain whether they are there. */
  readonly #beside = new Map<string, Uint8Array | undefined>();

  constructor(files: ApplianceFiles, options: ApplianceOptions) {
    this.files = files;
    this.#options = options;
  }

  async readDescriptor(options: CallOptions): Promise<SmallFile> {
    this.#descriptor ??= await this.files.readDescriptor(options);
    return this.#descriptor;
  }

  async readPackage(options: CallOptions): Promise<OvfPackage> {
    if (!this.#ovf) {
      const { name, bytes } = await this.readDescriptor(options);
      this.#ovf = parseOvf(bytes, { name, deployment: this.#options.deployment });
    }
    return this.#ovf;
  }

  /** `later` when a stream has not come to it. */
  async readManifest(options: CallOptions): Promise<Manifest | undefined | 'later'> {
    const bytes = await this.#readBeside('.mf', MAX_MANIFEST_BYTES, options);
    return bytes === undefined || bytes === 'later'
      ? bytes
      : parseManifest(bytes, { name: await this.nameBeside('.mf', options) });
  }

  /** The signer's word on the manifest; undefined when there is none, or not yet. */
  async checkSignature(now: Date, options: CallOptions): Promise<SignatureResult | undefined> {
    const manifest = await this.#readBeside('.mf', MAX_MANIFEST_BYTES, options);
    const certificate = await this.#readBeside('.cert', MAX_CERTIFICATE_BYTES, options);
    if (manifest === undefined || manifest === 'later' || certificate === undefined || certificate === 'later')
      return undefined;
    return checkSignature(certificate, manifest, {
      manifestName: await this.nameBeside('.mf', options),
      trustedCas: this.#options.signatureCaPem ?? [],
      now,
    });
  }

  /** The problem when the descriptor is not what the manifest says. */
  async checkDescriptor(manifest: Manifest, options: CallOptions): Promise<ProblemError | undefined> {
    const { name, bytes } = await this.readDescriptor(options);
    const expected = digestOf(manifest, name);
    if (!expected) return undefined;
    const actual = createHash(expected.algorithm).update(bytes).digest('hex');
    if (actual === expected.hex) return undefined;
    return new ProblemError(
      'DigestMismatch',
      `${name} has the ${expected.algorithm} digest ${actual}; the manifest says ${expected.hex}`,
    );
  }

  /** Manifest and certificate are named after the descriptor (DSP0243 6.2). */
  async nameBeside(extension: string, options: CallOptions): Promise<string> {
    const { name } = await this.readDescriptor(options);
    return `${name.replace(/\.ovf$/i, '')}${extension}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.files[Symbol.asyncDispose]();
  }

  async #readBeside(
    extension: string,
    maxBytes: number,
    options: CallOptions,
  ): Promise<Uint8Array | undefined | 'later'> {
    if (this.#beside.has(extension)) return this.#beside.get(extension);
    const name = await this.nameBeside(extension, options);
    const bytes = await this.files.readSmallFile(name, maxBytes, options);
    if (bytes !== 'later') this.#beside.set(extension, bytes);
    return bytes;
  }
}

/** @throws ProblemError `MachineNotFound`, `MachineAmbiguous`, both listing what there is */
export function selectMachine(ovf: OvfPackage, ref: string | undefined, source: string): OvfMachine {
  const { machines } = ovf;
  const listed = machines
    .map(({ machine }) => (machine.id === machine.name ? machine.id : `${machine.id} (${machine.name})`))
    .join(', ');
  const byId = machines.filter(({ machine }) => ref === undefined || machine.id === ref);
  const found = byId.length > 0 ? byId : machines.filter(({ machine }) => machine.name === ref);
  const [only] = found;
  if (!only) {
    const what = ref === undefined ? 'no machine' : `no machine ${JSON.stringify(ref)}`;
    throw new ProblemError('MachineNotFound', `${source} holds ${what}; there are: ${listed || 'none'}`);
  }
  if (found.length > 1)
    throw new ProblemError('MachineAmbiguous', `${source} holds ${machines.length} machines: ${listed}`);
  return only;
}

/** The file that a disk of the machine lies in; undefined for a disk without one. */
export function fileOfDisk(ovf: OvfPackage, machine: OvfMachine, diskId: string): OvfFile | undefined {
  const disk = machine.disks.get(diskId);
  if (!disk) throw new Error(`machine ${machine.machine.id} has no disk ${diskId}`);
  if (disk.parentRef !== undefined) {
    throw new ProblemError(
      'DiskHasParent',
      `disk ${disk.diskId} of the descriptor holds only the changes to ${disk.parentRef}`,
    );
  }
  return ovf.files.find((file) => file.id === disk.fileId);
}
