import type { ProblemError } from '../../domain/problems.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { wrapText } from './table.ts';

/** What went wrong, its code, and what to do. */
export function renderProblem(error: ProblemError, io: Pick<Io, 'paint' | 'columns'>): string {
  const { paint, columns } = io;
  return [
    ...wrapText(`${error.problem.summary} ${printable(error.message)}`, columns - 2).map((line, index) =>
      index === 0 ? `${paint.red('x')} ${line}` : `  ${line}`,
    ),
    ...wrapText(`${error.code}: ${error.problem.remedy}`, columns - 2).map((line) => `  ${paint.bold(line)}`),
  ].join('\n');
}

/** A bug of ours: short, with the stack only on request. */
export function renderBug(error: unknown, showStack: boolean): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const stack = showStack && error instanceof Error ? `\n${error.stack}` : '';
  return `Airlift met a situation it should not: ${printable(text)}\nPlease report this, with the output of AIRLIFT_DEBUG=1 and the same command.${stack}`;
}
