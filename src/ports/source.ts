import type { Finding } from '../domain/finding.ts';
import type { Disk, Machine } from '../domain/machine.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from './disk-reader.ts';
import type { ExpectedDigest } from './image-file.ts';

/** A platform machines are imported from. Opened, used, disposed; never half-initialised. */
export interface Source extends AsyncDisposable {
  readonly kind: 'ova';
  /** The source as the user would write it, without secrets. */
  readonly location: string;
  /** True when the source can only be read in one pass: opening a disk goes past everything before it, so nothing is opened just to look. Known after `inspect`. */
  readonly isStreamed: boolean;
  /** Yields as they are found: an inventory can hold tens of thousands of machines. */
  listMachines(options?: CallOptions): AsyncIterable<MachineSummary>;
  /**
   * @param ref name or id; undefined picks the only machine there is
   * @throws ProblemError `MachineNotFound`, `MachineAmbiguous`
   */
  inspect(ref: string | undefined, options?: CallOptions): Promise<Machine>;
  /** A bad answer is a finding. Throws only when it could not look. */
  preflight(machine: Machine, options?: CallOptions): AsyncIterable<Finding>;
  /** Disks are opened one after the other and in the order of `machine.disks`: a source that streams goes past each only once. */
  openDisk(machine: Machine, disk: Disk, options?: CallOptions): Promise<DiskReader>;
  /**
   * Only for sources where the manifest may come after the disks. Where `expectedDigests` of a disk's file is empty and this is present, all algorithms
   * are computed while the bytes pass and this is asked after the disk. It goes on to the end of the source and returns the digests of the disk's file:
   * empty without a manifest, or when it does not mention the file. Disks opened after it know their digests, at the price of one more pass.
   * @throws ProblemError `DigestMismatch` for the descriptor, `SignatureInvalid`, `ManifestMalformed`
   */
  lateDigests?(machine: Machine, disk: Disk, options?: CallOptions): Promise<readonly ExpectedDigest[]>;
}

export interface MachineSummary {
  readonly id: string;
  readonly name: string;
  readonly diskCount: number;
  readonly virtualSizeBytes: number;
}
