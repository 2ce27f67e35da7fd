import type { Disk, Machine } from '../domain/machine.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { Source } from '../ports/source.ts';
import type { PlannedDisk } from './import-plan.ts';

/** Looks at each disk's own map where that is possible without reading the disk; otherwise tells what the description says. */
export async function planDisks(source: Source, machine: Machine, options: CallOptions): Promise<PlannedDisk[]> {
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
  { signal }: CallOptions,
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
    const known = allocation.kind === 'unknown' ? told.allocation : allocation;
    const storedBytes = bytesToRead(reader, known);
    return {
      ...told,
      format,
      virtualSizeBytes,
      allocation: known,
      ...(storedBytes === undefined ? {} : { storedBytes }),
    };
  } catch (error) {
    // The source's preflight has told about a disk that is wrong; the plan shows the rest all the same.
    if (isProblem(error) && error.problem.retry === 'never' && error.code !== 'Interrupted') return told;
    throw error;
  }
}

/** The whole of its files, or what is data in them where that is less and no manifest wants to see the rest. Undefined when nobody knows. */
function bytesToRead({ files }: DiskReader, allocation: PlannedDisk['allocation']): number | undefined {
  let total = 0;
  for (const { sizeBytes } of files) {
    if (sizeBytes === undefined) return undefined;
    total += sizeBytes;
  }
  const isReadWhole = allocation.kind === 'unknown' || files.some((file) => file.expectedDigests.length > 0);
  return isReadWhole ? total : Math.min(total, allocation.bytes);
}

function toldAllocation(disk: Disk): PlannedDisk['allocation'] {
  return disk.populatedBytes === undefined ? { kind: 'unknown' } : { kind: 'known', bytes: disk.populatedBytes };
}
