import type { Finding } from '../../domain/finding.ts';
import { problems } from '../../domain/problems.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { wrapText } from './text-width.ts';

const INDENT = 9;

/** Each finding; behind the last one of a kind, what to do about them. */
export function renderFindings(findings: readonly Finding[], io: Pick<Io, 'paint' | 'columns'>): string {
  return renderToldFindings(
    findings.map((each) => ({ ...each, remedy: problems[each.code].remedy })),
    io,
  );
}

/** As somebody else told it: perhaps a controller of another version, with codes and remedies of its own. */
export interface ToldFinding {
  readonly severity: Finding['severity'];
  readonly code: string;
  readonly message: string;
  readonly remedy?: string | undefined;
}

/** @see renderFindings */
export function renderToldFindings(
  findings: readonly ToldFinding[],
  { paint, columns }: Pick<Io, 'paint' | 'columns'>,
): string {
  const marks = { blocker: paint.red('blocker  '), warning: paint.yellow('warning  '), note: paint.dim('note     ') };
  const margin = ' '.repeat(INDENT);
  return findings
    .flatMap(({ severity, code, message, remedy: toDo }, index) => {
      const [first = '', ...more] = wrapText(printable(`${code}: ${message}`), columns - INDENT);
      const next = findings[index + 1];
      const isLast = next?.code !== code || next.severity !== severity;
      const isTold = isLast && severity !== 'note' && toDo !== undefined;
      const remedy = isTold ? wrapText(printable(`-> ${toDo}`), columns - INDENT) : [];
      return [marks[severity] + first, ...[...more, ...remedy].map((line) => margin + line)];
    })
    .join('\n');
}
