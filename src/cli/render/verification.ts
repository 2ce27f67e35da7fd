import type { Comparison, DiskVerification } from '../../app/verify-report.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderTable } from './table.ts';

const MAX_RANGES = 20;

/** Which side of which disk differs from the report. */
export function verdictOf(results: readonly DiskVerification[]): 'none' | 'target' | 'source' | 'both' {
  const isTarget = results.some(({ status }) => status === 'different');
  const isSource = results.some(({ source }) => source?.status === 'different');
  if (isTarget) return isSource ? 'both' : 'target';
  return isSource ? 'source' : 'none';
}

/** What a comparison found, for people. */
export function renderVerification(results: readonly DiskVerification[], io: Pick<Io, 'paint' | 'columns'>): string {
  return results
    .flatMap((result) => {
      const { file, source } = result;
      if (source === undefined) return renderComparison(result, file, io);
      return [
        ...renderComparison(result, `${file} on the target`, io),
        ...renderComparison(source, `${file} on the source`, io),
      ];
    })
    .join('\n');
}

function renderComparison(
  comparison: Comparison,
  name: string,
  { paint, columns }: Pick<Io, 'paint' | 'columns'>,
): string[] {
  const marks = {
    identical: paint.green('identical'),
    different: paint.red('different'),
    unverifiable: paint.yellow('not verified'),
  };
  const head = `${marks[comparison.status]}  ${printable(name)}`;
  const details = describeComparison(comparison).map((line) => [line]);
  return details.length === 0 ? [head] : [head, renderTable(details, { columns, indent: 2 })];
}

function describeComparison({ status, differences, reason }: Comparison): string[] {
  if (status === 'unverifiable') return [reason ?? 'it could not be looked at'];
  const ranges = differences.slice(0, MAX_RANGES).map(({ offset, length }) => {
    return `bytes ${offset} to ${offset + length - 1} (${formatBytes(length)} at ${formatBytes(offset)})`;
  });
  const more = differences.length > ranges.length ? [`and ${differences.length - ranges.length} more ranges`] : [];
  return [...(reason === undefined ? [] : [reason]), ...ranges, ...more];
}
