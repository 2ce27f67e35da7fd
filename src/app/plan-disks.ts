import type { Disk, Machine } from '../domain/machine.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { Source } from '../ports/source.ts';
import type { PlannedDisk } from './import-plan.ts';

export interface PlanDisksOptions extends CallOptions {
  /** Bytes of the disk that come per second, see DataPlane.measureRead. Nothing is measured without it. */
  readonly measureRead?: ((reader: DiskReader, options: CallOptions) => Promise<number | undefined>) | undefined;
}

/** Looks at each disk's own map where that is possible without reading the disk; otherwise tells what the description says. */
export async function planDisks(source: Source, machine: Machine, options: PlanDisksOptions): Promise<PlannedDisk[]> {
  const disks: PlannedDisk[] = [];
  for (const [index, disk] of machine.disks.entries())
    disks.push(await planDisk(source, machine, disk, index, options));
  return disks;
}

async function planDisk(
  source: Source,
  machine: Machine,
  disk: Disk,
  index: number,
  { signal, measureRead }: PlanDisksOptions,
): Promise<PlannedDisk> {
  const told: PlannedDisk = {
    disk,
    index,
    format: undefined,
    virtualSizeBytes: disk.virtualSizeBytes,
    allocation: disk.fileName === undefined ? { kind: 'exact', bytes: 0 } : toldAllocation(disk),
  };
  if (disk.fileName === undefined) return { ...told, format: 'empty' };
  if (source.isStreamed) return told;
  try {
    await using reader = await source.openDisk(machine, disk, { signal });
    const { format, virtualSizeBytes, allocation } = reader;
    const measured = await measureRead?.(reader, { signal });
    return {
      ...told,
      ...(measured === undefined ? {} : { measuredBytesPerSecond: measured }),
      format,
      virtualSizeBytes,
      allocation: allocation.kind === 'unknown' ? told.allocation : allocation,
    };
  } catch (error) {
    // The source's preflight has told about a disk that is wrong; the plan shows the rest all the same.
    if (isProblem(error) && error.problem.retry === 'never' && error.code !== 'Interrupted') return told;
    throw error;
  }
}

function toldAllocation(disk: Disk): PlannedDisk['allocation'] {
  return disk.populatedBytes === undefined ? { kind: 'unknown' } : { kind: 'known', bytes: disk.populatedBytes };
}
