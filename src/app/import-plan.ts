import type { Finding } from '../domain/finding.ts';
import type { FidelityRow, MappedMachine } from '../domain/hardware-mapping.ts';
import type { Disk, Machine } from '../domain/machine.ts';
import type { Allocation } from '../ports/disk-reader.ts';
import type { Estimate } from './estimate-transfer.ts';

/** What an import would do. Plain data: printed by `plan`, acted on by `import`, kept in the report. */
export interface ImportPlan {
  readonly source: string;
  readonly target: string | undefined;
  readonly machine: Machine;
  /** Name on the target. */
  readonly targetName: string;
  readonly mapped: MappedMachine;
  readonly disks: readonly PlannedDisk[];
  /** Everything found beforehand, blockers first. */
  readonly findings: readonly Finding[];
  /** Bytes that will be written at most; undefined when a disk cannot tell before it is read. */
  readonly dataBytes: number | undefined;
  readonly virtualSizeBytes: number;
  /** How long it will take. Absent where nobody measured. */
  readonly estimate?: Estimate;
  /** Why there is no estimate though one was asked for. */
  readonly notEstimated?: string;
}

export interface PlannedDisk {
  readonly disk: Disk;
  /** Number on the target, from 0. */
  readonly index: number;
  /** Format and variant of the image; undefined while nobody looked (streamed sources). */
  readonly format: string | undefined;
  readonly virtualSizeBytes: number;
  readonly allocation: Allocation;
  /** Bytes that have to come from the source; undefined where nobody looked. */
  readonly storedBytes?: number;
}

export type { FidelityRow };
