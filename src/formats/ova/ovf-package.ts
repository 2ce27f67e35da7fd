import type { Machine } from '../../domain/machine.ts';

/** What an OVF descriptor says, for one chosen deployment option. */
export interface OvfPackage {
  /** `0.9` is VMware's form from before the standard. */
  readonly version: '0.9' | '1.x' | '2.x';
  /** In the order of the References section, which is the order of the members in an OVA. */
  readonly files: readonly OvfFile[];
  readonly disks: readonly OvfDisk[];
  readonly networks: readonly OvfNetwork[];
  readonly deployments: readonly OvfDeployment[];
  /** Id of the deployment option that the machines were read for; absent where the descriptor has none. */
  readonly deployment?: string;
  /** In the order of the document; collections within collections are laid flat. */
  readonly machines: readonly OvfMachine[];
  /** Ids of machines and collections as the StartupSection orders them. */
  readonly startupOrder?: readonly string[];
  /** Names of optional sections that were passed over. */
  readonly ignoredSections: readonly string[];
}

/** A machine, and the descriptor's record behind each of its disks. */
export interface OvfMachine {
  readonly machine: Machine;
  /** By `Disk.id` of the machine. */
  readonly disks: ReadonlyMap<string, OvfDisk>;
}

export interface OvfFile {
  readonly id: string;
  /**
   * As the descriptor spells it: a safe relative path, see member-name.ts. A chunked file lies in parts named `<href>.000000000`, `.000000001`, ...
   */
  readonly href: string;
  /** Bytes as stored, all chunks together. */
  readonly sizeBytes?: number;
  readonly compression?: 'gzip';
  readonly chunkBytes?: number;
}

export interface OvfDisk {
  readonly diskId: string;
  /** Absent for a disk that is created empty. */
  readonly fileId?: string;
  readonly capacityBytes: number;
  readonly populatedBytes?: number;
  /** The format's URI. */
  readonly format?: string;
  /** The disk below, of which this one holds only the changes. */
  readonly parentRef?: string;
}

export interface OvfNetwork {
  readonly name: string;
  readonly description?: string;
}

export interface OvfDeployment {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly isDefault: boolean;
}
