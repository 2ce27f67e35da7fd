import type { ImportEnd } from '../../app/cluster/follow-imports.ts';
import type { SourceSummary } from '../../app/cluster/list-sources.ts';
import type { ImportSummary } from '../../app/cluster/summarize-import.ts';
import { formatBytes, formatDuration } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderAge } from './age.ts';
import { renderTable } from './table.ts';
import { wrapText } from './text-width.ts';

export interface TableOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Say of each where it is. */
  readonly hasNamespaces: boolean;
}

/** A line for each import. */
export function renderImports(
  imports: readonly ImportSummary[],
  { columns }: Pick<Io, 'columns'>,
  { now, hasNamespaces }: TableOptions,
): string {
  const rows = imports.map((each) => [
    ...(hasNamespaces ? [each.namespace] : []),
    each.name,
    each.phase,
    each.percent ?? '',
    each.bytesPerSecond === undefined ? '' : `${formatBytes(each.bytesPerSecond)}/s`,
    each.etaSeconds === undefined ? '' : formatDuration(each.etaSeconds * 1000),
    each.reason ?? '',
    renderAge(each.createdAt, now),
  ]);
  const head = ['NAME', 'PHASE', 'DONE', 'SPEED', 'LEFT', 'REASON', 'AGE'];
  return renderTable(rows, { head: hasNamespaces ? ['NAMESPACE', ...head] : head, columns });
}

/** A line for each source. */
export function renderSources(
  sources: readonly SourceSummary[],
  { columns }: Pick<Io, 'columns'>,
  { now, hasNamespaces }: TableOptions,
): string {
  const rows = sources.map((each) => [
    ...(hasNamespaces ? [each.namespace] : []),
    each.name,
    each.kind,
    each.status ?? 'not looked at yet',
    each.reason ?? '',
    each.address ?? '',
    renderAge(each.createdAt, now),
  ]);
  const head = ['NAME', 'KIND', 'STATUS', 'REASON', 'ADDRESS', 'AGE'];
  return renderTable(rows, { head: hasNamespaces ? ['NAMESPACE', ...head] : head, columns });
}

interface Trouble {
  readonly name: string;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly nextStep: string | undefined;
}

/** What is wrong with those of which something is, and what to do. */
export function renderTroubles(
  troubles: readonly Trouble[],
  { paint, columns }: Pick<Io, 'paint' | 'columns'>,
): string {
  return troubles
    .filter(({ nextStep }) => nextStep !== undefined)
    .flatMap(({ name, reason = '', message = '', nextStep = '' }) => [
      `${paint.bold(printable(name))}: ${printable(reason)}`,
      ...[message, `-> ${nextStep}`]
        .flatMap((text) => wrapText(printable(text), columns - 2))
        .map((line) => `  ${line}`),
    ])
    .join('\n');
}

/** How an import ended, in a line. */
export function renderEnd(
  summary: ImportSummary | undefined,
  name: string,
  end: ImportEnd,
  { paint }: Pick<Io, 'paint'>,
): string {
  const words = {
    done: paint.green(`imported, machine ${printable(summary?.machine ?? '')}`),
    failed: paint.red('failed'),
    blocked: paint.red('not begun'),
    gone: paint.yellow('deleted'),
  };
  return `${paint.bold(printable(name))}: ${words[end]}`;
}
