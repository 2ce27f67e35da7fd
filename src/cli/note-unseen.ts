import type { ProblemError } from '../domain/problems.ts';
import { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { renderProblem } from './render/problem.ts';

/** Says what could not be looked at: the answer is not the whole one then, and the exit code tells. */
export function noteUnseen(unseen: readonly ProblemError[], io: Io): ExitCode {
  if (unseen.length === 0) return ExitCode.ok;
  io.complain(`\nNot everything could be looked at:\n${unseen.map((each) => renderProblem(each, io)).join('\n')}`);
  return ExitCode.unknown;
}
