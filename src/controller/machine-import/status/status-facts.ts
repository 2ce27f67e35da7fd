import type { ImportStatusFields } from '../../../api/virtual-machine-import.ts';
import type { Finding } from '../../../domain/finding.ts';
import type { Action, ObservedImport } from '../../../domain/next-action.ts';
import type { PlanRecord } from '../plan-record.ts';
import type { TransferResult } from '../transfers/transfer-record.ts';

/** What a worker last told of a disk. */
export interface LiveProgress {
  readonly phase: 'copy' | 'serve' | 'finish' | 'verify' | 'done';
  readonly doneBytes: number;
  readonly totalBytes?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly node?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** All that the status of an import follows from. */
export interface StatusFacts {
  readonly generation: number;
  readonly retry?: string | undefined;
  readonly stored: ImportStatusFields;
  readonly seen: ObservedImport;
  readonly action: Action;
  /** Undefined before preflight, or when it did not pass. */
  readonly plan: PlanRecord | undefined;
  readonly findings: readonly Finding[];
  readonly live: ReadonlyMap<number, LiveProgress>;
  /** Of the disks that are done. */
  readonly results: ReadonlyMap<number, TransferResult>;
}
