import type { ImportPlan } from '../../app/import-plan.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderFindings } from './findings.ts';
import { renderTable } from './table.ts';

/** What an import would do, for people. */
export function renderPlan(plan: ImportPlan, io: Pick<Io, 'paint' | 'columns'>): string {
  const { paint, columns } = io;
  const section = (title: string, body: string) => (body === '' ? [] : ['', paint.bold(title), body]);
  const kept = plan.mapped.fidelity.filter(({ outcome }) => outcome === 'kept');
  const different = plan.mapped.fidelity.filter(({ outcome }) => outcome !== 'kept');
  const data = plan.dataBytes === undefined ? 'unknown until it is read' : formatBytes(plan.dataBytes);
  return [
    `${paint.bold(printable(plan.machine.name))} from ${printable(plan.source)}`,
    `would become ${paint.bold(plan.targetName)}${plan.target === undefined ? '' : ` in ${printable(plan.target)}`}; nothing was changed.`,
    ...section('Disks', renderTable(['DISK', 'FORMAT', 'SIZE', 'DATA', 'FILE'], plan.disks.map(diskRow), columns)),
    `Space needed: ${data} of data, ${formatBytes(plan.virtualSizeBytes)} as the guest sees it.`,
    ...section(
      `Kept (${kept.length})`,
      renderTable(
        ['PROPERTY', 'VALUE'],
        kept.map((row) => [row.property, row.target]),
        columns,
      ),
    ),
    ...section(
      `Changed or dropped (${different.length})`,
      different.length === 0
        ? ''
        : renderTable(
            ['PROPERTY', 'SOURCE', 'TARGET', 'WHY'],
            different.map((row) => [
              shorten(row.property, 34),
              shorten(row.source, 24),
              row.outcome === 'dropped' ? '(dropped)' : shorten(row.target, 24),
              row.reason ?? '',
            ]),
            columns,
          ),
    ),
    ...section('Findings', renderFindings(plan.findings, io)),
  ].join('\n');
}

function diskRow({ disk, format, virtualSizeBytes, allocation }: ImportPlan['disks'][number]): string[] {
  const data =
    allocation.kind === 'unknown'
      ? '?'
      : `${allocation.kind === 'known' ? 'about ' : ''}${formatBytes(allocation.bytes)}`;
  return [disk.name, format ?? '?', formatBytes(virtualSizeBytes), data, disk.fileName ?? '(empty)'];
}

function shorten(text: string, width: number): string {
  const shown = printable(text);
  return shown.length <= width ? shown : `${shown.slice(0, width - 1)}…`;
}
