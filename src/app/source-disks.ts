import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { Source } from '../ports/source.ts';
import { emptyDisk } from './empty-disk.ts';
import type { DiskReport, ImportReport } from './import-report.ts';

export interface SourceDisk {
  readonly disk: DiskReport;
  /** To be called in the order of the list; each reader is disposed before the next one is opened. */
  readonly open: () => Promise<DiskReader>;
}

/**
 * Finds the disks of a report on the source again, by the ids of machine and disk, in the order in which the source passes them. One that is no longer there is left out.
 * @throws ProblemError `MachineNotFound`, and the problems of the source
 */
export async function prepareSourceDisks(
  source: Source,
  report: ImportReport,
  { signal }: CallOptions,
): Promise<SourceDisk[]> {
  const machine = await source.inspect(report.machine.id, { signal });
  const inReadingOrder = machine.disks
    .map((disk, index) => ({ disk, order: disk.readingOrder ?? index }))
    .toSorted((a, b) => a.order - b.order);
  return inReadingOrder.flatMap(({ disk }) => {
    const reported = report.disks.find(({ id }) => id === disk.id);
    if (reported === undefined) return [];
    const open = async () =>
      disk.fileName === undefined ? emptyDisk(disk.virtualSizeBytes) : source.openDisk(machine, disk, { signal });
    return [{ disk: reported, open }];
  });
}
