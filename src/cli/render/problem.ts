import type { ProblemError } from '../../domain/problems.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { wrapText } from './text-width.ts';

/** What went wrong, in which place, what to do, and the command line to do it with where there is one. */
export function renderProblem(error: ProblemError, io: Pick<Io, 'paint' | 'columns'>, command?: string): string {
  const { paint, columns } = io;
  const indented = (text: string) => wrapText(text, columns - 2).map((line) => `  ${line}`);
  const [first = '', ...more] = wrapText(`error ${error.code}: ${error.problem.summary}`, columns - 2);
  return [
    first.replace(/^error [A-Za-z]+/, `${paint.red('error')} ${paint.bold(error.code)}`),
    ...more.map((line) => `  ${line}`),
    ...indented(printable(error.message)),
    ...indented(`-> ${error.problem.remedy}`),
    // Not wrapped: it is there to be copied.
    ...(command === undefined ? [] : [`     ${paint.bold(command)}`]),
  ].join('\n');
}

/** A bug of ours: short, with the stack only on request. */
export function renderBug(error: unknown, hasStack: boolean): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [
    `Airlift met a situation it should not: ${printable(text)}`,
    hasStack
      ? 'Please report this, with the lines below and the output of `airlift version`.'
      : 'Please report this, with the output of the same command with --debug and of `airlift version`.',
    ...(hasStack ? stackOf(error) : []),
  ].join('\n');
}

/** The stacks of an error and its causes. */
export function stackOf(error: unknown): string[] {
  const stacks: string[] = [];
  for (let each = error; each instanceof Error && stacks.length < 10; each = each.cause) {
    const lines = (each.stack ?? String(each)).split('\n').map(printable);
    stacks.push(`${stacks.length === 0 ? '' : 'caused by '}${lines.join('\n  ')}`);
  }
  return stacks;
}
