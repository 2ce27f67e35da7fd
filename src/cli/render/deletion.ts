import type { DeletionPreview } from '../../app/cluster/preview-deletion.ts';
import type { RelatedObject } from '../../app/cluster/related-objects.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { renderTable } from './table.ts';

/** What a deletion of an import takes away and what it leaves, for people. */
export function renderDeletion(
  name: string,
  { goes, stays }: DeletionPreview,
  { paint, columns }: Pick<Io, 'paint' | 'columns'>,
): string {
  const part = (title: string, objects: readonly RelatedObject[]) =>
    objects.length === 0
      ? []
      : [
          `  ${title}`,
          renderTable(
            objects.map(({ kind, name: own, state }) => [kind, own, state]),
            { columns, indent: 4 },
          ),
        ];
  return [
    `${paint.bold(printable(name))}${goes.length + stays.length === 0 ? ': the import alone' : ''}`,
    ...part('goes with it', goes),
    ...part('stays', stays),
  ].join('\n');
}
