import type { SourceSummary } from '../../app/cluster/list-sources.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderAge } from './age.ts';
import { renderTable } from './table.ts';

/** What is known about a source, for people. */
export function renderSourceDescription(
  { kind, name, namespace, status, address, reason, message, nextStep, checkedAt, createdAt }: SourceSummary,
  { paint, columns }: Pick<Io, 'paint' | 'columns'>,
  now: number,
): string {
  const facts: readonly (readonly [string, string])[] = [
    ['address', address ?? ''],
    ['status', status ?? 'not looked at yet'],
    ['reason', [reason, message].filter(Boolean).join(': ')],
    ['next step', nextStep ?? ''],
    ['looked at', checkedAt === undefined ? '' : `${renderAge(checkedAt, now)} ago`],
    ['age', renderAge(createdAt, now)],
  ];
  const rows = facts.filter(([, text]) => text !== '').map((row) => [...row]);
  return [
    `${kind} ${paint.bold(printable(name))} in namespace ${printable(namespace)}`,
    renderTable(rows, { columns, indent: 2 }),
  ].join('\n');
}
