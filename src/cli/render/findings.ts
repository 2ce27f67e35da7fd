import type { ImportPlan } from '../../app/import-plan.ts';
import { problems } from '../../domain/problems.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { wrapText } from './table.ts';

type Findings = ImportPlan['findings'];

/** Each finding with what to do about it. */
export function renderFindings(findings: Findings, io: Pick<Io, 'paint' | 'columns'>): string {
  const { paint, columns } = io;
  const marks = { blocker: paint.red('blocker'), warning: paint.yellow('warning'), note: paint.dim('note   ') };
  return findings
    .map(({ severity, code, message }) => {
      const indent = ' '.repeat(9);
      const lines = wrapText(`${code}: ${printable(message)}`, columns - indent.length);
      const remedy = severity === 'note' ? [] : wrapText(`-> ${problems[code].remedy}`, columns - indent.length);
      return [`${marks[severity]}  ${lines[0]}`, ...[...lines.slice(1), ...remedy].map((line) => indent + line)].join(
        '\n',
      );
    })
    .join('\n');
}
