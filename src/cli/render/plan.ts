import { SIDE_NAMES } from '../../app/compare-prediction.ts';
import type { FidelityRow, ImportPlan } from '../../app/import-plan.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderFindings } from './findings.ts';
import { renderTable } from './table.ts';
import { wrapText } from './text-width.ts';

const VALUE_CHARACTERS = 120;

/** What an import would do, for people: what stands in the way comes last, where the eye is when the text has scrolled. */
export function renderPlan(plan: ImportPlan, io: Pick<Io, 'paint' | 'columns'>): string {
  const { paint, columns } = io;
  const rowsOf = (outcome: FidelityRow['outcome']) => plan.mapped.fidelity.filter((row) => row.outcome === outcome);
  const section = (title: string, body: string) => (body === '' ? [] : ['', paint.bold(title), body]);
  const size = formatBytes(plan.virtualSizeBytes);
  const need =
    plan.dataBytes === undefined
      ? `unknown until the disks are read, at most ${size}`
      : `${formatBytes(plan.dataBytes)} of data (${size} as the guest sees it)`;
  const target = plan.target === undefined ? '' : ` in ${printable(plan.target)}`;
  const kept = rowsOf('kept').filter((row) => !isAnnotation(row));
  const noted = rowsOf('kept').filter(isAnnotation);
  const changed = rowsOf('changed');
  const dropped = rowsOf('dropped');
  return [
    `${paint.bold(printable(plan.machine.name))} from ${printable(plan.source)}`,
    `would become ${paint.bold(printable(plan.targetName))}${target}. Nothing was changed.`,
    ...section(
      'Disks',
      renderTable(plan.disks.map(diskRow), {
        head: ['DISK', 'FORMAT', 'SIZE', 'DATA', 'FILE'],
        columns,
        indent: 2,
      }),
    ),
    `  Space needed: ${need}`,
    ...timeLines(plan, columns),
    ...section(`Kept (${kept.length})`, renderTable(kept.map(fidelityCells), { columns, indent: 2 })),
    ...section(
      `Kept as annotations (${noted.length})`,
      renderTable(
        noted.map(({ property, source }) => [property, shorten(source)]),
        { columns, indent: 2 },
      ),
    ),
    ...section(`Changed (${changed.length})`, renderReasoned(changed, columns)),
    ...section(`Dropped (${dropped.length})`, renderReasoned(dropped, columns)),
    ...section('Findings', renderFindings(plan.findings, io)),
  ].join('\n');
}

/** Which annotation it is tells only the machine-readable output: the keys are long and say little. */
function isAnnotation({ target }: FidelityRow): boolean {
  return target.startsWith('annotation ');
}

/** Rows of one reason stand together, the reason below them. */
function renderReasoned(rows: readonly FidelityRow[], columns: number): string {
  const groups = Map.groupBy(rows, (row) => row.reason ?? '');
  return [...groups]
    .flatMap(([reason, group]) => [
      renderTable(group.map(fidelityCells), { columns, indent: 2 }),
      ...wrapText(printable(reason), columns - 6).map((line) => `      ${line}`),
    ])
    .join('\n');
}

function fidelityCells({ property, source, target, outcome }: FidelityRow): string[] {
  const value = shorten(source) || '(none)';
  return [property, outcome === 'dropped' || source === target ? value : `${value} -> ${shorten(target)}`];
}

/** How long, what it waits for, and how fast each side is. */
function timeLines({ estimate, notEstimated, target }: ImportPlan, columns: number): string[] {
  if (notEstimated !== undefined)
    return wrapText(`Time needed: unknown; ${printable(notEstimated)}`, columns - 2).map(indented);
  if (estimate === undefined) return [];
  const { ms, copyMs, verifyMs, limitedBy, rates } = estimate;
  const perSecond = (rate: number) => `${formatBytes(rate)}/s`;
  const unmeasured = target === undefined ? 'no target was named' : 'the target could not be measured';
  const write = rates.write === undefined ? unmeasured : `the target takes ${perSecond(rates.write)}`;
  const sides = `the source gives ${perSecond(rates.read)} as stored, unpacking does ${perSecond(rates.decode)}, ${write}`;
  return [
    `Time needed: about ${formatDuration(ms)} (${formatDuration(copyMs)} to copy, ${formatDuration(verifyMs)} to verify)`,
    `Limited by ${SIDE_NAMES[limitedBy]}: ${sides}`,
  ]
    .flatMap((line) => wrapText(line, columns - 2))
    .map(indented);
}

function indented(line: string): string {
  return `  ${line}`;
}

function diskRow({ disk, format, virtualSizeBytes, allocation }: ImportPlan['disks'][number]): string[] {
  const estimate = allocation.kind === 'known' ? 'about ' : '';
  const data = allocation.kind === 'unknown' ? '?' : `${estimate}${formatBytes(allocation.bytes)}`;
  return [disk.name, format ?? '?', formatBytes(virtualSizeBytes), data, disk.fileName ?? '(created empty)'];
}

function shorten(text: string): string {
  const shown = printable(text);
  return shown.length <= VALUE_CHARACTERS ? shown : `${shown.slice(0, VALUE_CHARACTERS)}...`;
}
