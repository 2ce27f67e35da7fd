import type { ImportOutcome } from '../../app/import-parts.ts';
import type { DiskVerification } from '../../app/verify-report.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';

/** What an import did, for people. */
export function renderOutcome({ location, report }: ImportOutcome, { paint }: Pick<Io, 'paint'>): string {
  const disks = report.disks.map((disk) => {
    const manifest = disk.storedDigests.some((each) => each.expected !== undefined) ? ', as its manifest says' : '';
    const speed =
      disk.copyMs > 0
        ? ` in ${formatDuration(disk.copyMs)} (${formatBytes((disk.dataBytes / disk.copyMs) * 1000)}/s)`
        : '';
    const proof = disk.digest === undefined ? 'not verified' : `verified in ${formatDuration(disk.verifyMs)}`;
    return `  ${disk.file}  ${formatBytes(disk.dataBytes)} of data${speed}${manifest}; ${proof}${disk.resumes > 0 ? '; continued after an interruption' : ''}`;
  });
  return [
    `${paint.green('ok')} ${paint.bold(printable(report.machine.name))} is in ${location}`,
    ...disks,
    `  machine.yaml  how to bring it into a cluster; report.md  what was kept, changed and dropped`,
  ].join('\n');
}

/** What a comparison found, for people. */
export function renderVerification(results: readonly DiskVerification[], { paint }: Pick<Io, 'paint'>): string {
  return results
    .map(({ file, status, differences, reason }) => {
      if (status === 'identical') return `${paint.green('identical')}     ${printable(file)}`;
      if (status === 'unverifiable')
        return `${paint.yellow('not verified')}  ${printable(file)}: ${printable(reason ?? '')}`;
      const ranges = differences.map(({ offset, length }) => `bytes ${offset} to ${offset + length - 1}`).join(', ');
      return `${paint.red('different')}     ${printable(file)}: ${ranges}`;
    })
    .join('\n');
}
