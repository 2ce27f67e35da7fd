import type { Finding } from '../../domain/finding.ts';
import { problems } from '../../domain/problems.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { wrapText } from './text-width.ts';

const INDENT = 9;

/** Each finding; behind the last one of a kind, what to do about them. */
export function renderFindings(
  findings: readonly Finding[],
  { paint, columns }: Pick<Io, 'paint' | 'columns'>,
): string {
  const marks = { blocker: paint.red('blocker  '), warning: paint.yellow('warning  '), note: paint.dim('note     ') };
  const margin = ' '.repeat(INDENT);
  return findings
    .flatMap(({ severity, code, message }, index) => {
      const [first = '', ...more] = wrapText(`${code}: ${printable(message)}`, columns - INDENT);
      const next = findings[index + 1];
      const isLast = next?.code !== code || next.severity !== severity;
      const remedy = isLast && severity !== 'note' ? wrapText(`-> ${problems[code].remedy}`, columns - INDENT) : [];
      return [marks[severity] + first, ...[...more, ...remedy].map((line) => margin + line)];
    })
    .join('\n');
}
