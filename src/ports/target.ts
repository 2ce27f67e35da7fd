import type { Finding } from '../domain/finding.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskWriter } from './disk-writer.ts';
import type { OpenProbeOptions, TargetProbe } from './measure.ts';

/** What receives machines. */
export interface Target extends AsyncDisposable {
  readonly kind: 'dir' | 'device';
  readonly location: string;
  /** Name of the disk format written, for reports. */
  readonly diskFormat: 'qcow2' | 'raw';
  /** A bad answer is a finding. Throws only when it could not look. */
  preflight(need: TargetNeed, options?: CallOptions): AsyncIterable<Finding>;
  /**
   * Claims the place for one machine and continues what an earlier run left there. Held until disposed; a second process gets `TargetBusy`.
   * @throws ProblemError `TargetExists`, `TargetBusy`, `TargetNotWritable`
   */
  openMachine(name: string, options?: CallOptions & { readonly restart?: boolean }): Promise<MachineTarget>;
  /**
   * Opens a temporary file where a machine would lie, to measure how fast the target is. Undefined when it cannot be written or has too little free space. Absent where nothing can be
   * written without touching what is there.
   */
  openProbe?(options: OpenProbeOptions): Promise<TargetProbe | undefined>;
}

export interface TargetNeed {
  /** Space that other machines of the same command will take there. */
  readonly promisedBytes?: number | undefined;
  readonly machineName: string;
  /** Bytes that will be written at most; undefined when the source cannot tell before the transfer. */
  readonly dataBytes: number | undefined;
  readonly virtualSizeBytes: number;
  /** As the guest sees them, in the order in which the target numbers the disks; absent where only the place itself is asked about. */
  readonly diskSizesBytes?: readonly number[] | undefined;
}

/** The place of one machine on the target. Disposing it without `finish` or `discard` leaves a partial result that can be continued. */
export interface MachineTarget extends AsyncDisposable {
  /** Where the finished machine will be. */
  readonly location: string;
  /** Where it is until then, for messages. */
  readonly partialLocation: string;
  /** True when an earlier run left something to continue. */
  readonly isContinued: boolean;
  /** Name of the disk's file, also in the report and the manifest. */
  diskFileName(index: number): string;
  /** Whether the disk's file is there, from this run or an earlier one. */
  hasDisk(index: number): Promise<boolean>;
  openDisk(index: number, virtualSizeBytes: number): Promise<DiskWriter>;
  /** Space the disk's file takes up now. */
  allocatedBytes(index: number): Promise<number>;
  /** Forgets what an earlier run wrote of this disk. */
  discardDisk(index: number): Promise<void>;
  /** Bounded state of a transfer (a checkpoint, under 64 KiB), replaced as a whole and durable when saved. */
  loadState(key: string): Promise<Uint8Array | undefined>;
  saveState(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * Writes the documents, gives the machine its final name and removes what only a transfer needs. What cannot be removed is a remark: the machine is there.
   */
  finish(documents: readonly TargetDocument[], options?: FinishOptions): Promise<void>;
  /** Removes everything this import made. */
  discard(): Promise<void>;
}

export interface FinishOptions {
  readonly onRemark?: ((remark: string) => void) | undefined;
}

export interface TargetDocument {
  readonly name: string;
  readonly text: string;
}
