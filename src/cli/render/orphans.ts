import type { Orphan } from '../../app/cluster/find-orphans.ts';
import type { Io } from '../io.ts';
import { renderAge } from './age.ts';
import { renderTable } from './table.ts';

/** A line for each; those that hold data say so. */
export function renderOrphans(orphans: readonly Orphan[], { columns }: Pick<Io, 'columns'>, now: number): string {
  const rows = orphans.map(({ kind, namespace = '', name, createdAt, holdsData }) => [
    namespace,
    kind.kind,
    name,
    renderAge(createdAt, now),
    holdsData ? 'holds data' : '',
  ]);
  return renderTable(rows, { head: ['NAMESPACE', 'KIND', 'NAME', 'AGE', ''], columns });
}
