import type { SourceAssignment } from '../api/transfer-protocol.ts';
import { emptyDisk } from '../app/empty-disk.ts';
import type { Disk, Machine } from '../domain/machine.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { Source } from '../ports/source.ts';
import type { RateLimiter } from '../ports/transfer.ts';

/** The disk of an assignment, as its source has it now. @throws ProblemError `SourceChanged` when it has none of that id any more */
export async function findAssignedDisk(
  source: Source,
  { machine: ref, disk: { id } }: SourceAssignment,
  options: CallOptions,
): Promise<{ readonly machine: Machine; readonly disk: Disk }> {
  const machine = await source.inspect(ref, options);
  const disk = machine.disks.find((each) => each.id === id);
  if (disk !== undefined) return { machine, disk };
  const ids = machine.disks.map((each) => each.id).join(', ');
  throw new ProblemError('SourceChanged', `"${machine.name}" has no disk "${id}" any more; it has ${ids || 'none'}`);
}

export async function openAssignedDisk(
  source: Source,
  machine: Machine,
  disk: Disk,
  options: CallOptions,
): Promise<DiskReader> {
  if (disk.fileName === undefined) return emptyDisk(disk.virtualSizeBytes);
  return await source.openDisk(machine, disk, options);
}

export function limiterOf(
  parts: { createRateLimiter(bytesPerSecond: number): RateLimiter },
  { maxRateBytesPerSecond }: SourceAssignment,
): RateLimiter | undefined {
  return maxRateBytesPerSecond === undefined ? undefined : parts.createRateLimiter(maxRateBytesPerSecond);
}
