import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';

/** Everything the command line prints and asks. Results go to stdout, progress and remarks to stderr. */
export interface Io {
  /** A result; ends with a line break unless empty. */
  print(text: string): void;
  /** A remark for the user; left out with --quiet. */
  note(text: string): void;
  /** What must be said also with --quiet: problems. */
  complain(text: string): void;
  /** Raw text to stderr, for drawing progress. */
  draw(text: string): void;
  /** Whether stderr is a terminal that lines can be redrawn on. */
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly paint: Paint;
  /** Asks on the terminal; absent where there is nobody to ask. */
  ask?(question: string, options?: CallOptions): Promise<string>;
  /** Like `ask`, without showing what is typed. */
  askSecret?(question: string, options?: CallOptions): Promise<string>;
}

/** Waits for an answer. @throws ProblemError `Interrupted` when the user presses Ctrl-C instead, which Node tells as an AbortError */
export async function waitForAnswer(answer: Promise<string>): Promise<string> {
  try {
    return await answer;
  } catch (cause) {
    if (!(cause instanceof Error) || cause.name !== 'AbortError') throw cause;
    throw new ProblemError('Interrupted', 'stopped by Ctrl-C at a question', { cause });
  }
}

/** Colours, or nothing where they do not belong. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
}

const plain = (text: string) => text;
export const noPaint: Paint = { bold: plain, dim: plain, red: plain, yellow: plain, green: plain };

/** ECMA-48 SGR. */
export const ansiPaint: Paint = {
  bold: wrap(1, 22),
  dim: wrap(2, 22),
  red: wrap(31, 39),
  yellow: wrap(33, 39),
  green: wrap(32, 39),
};

/** Colour on a terminal only; NO_COLOR (no-color.org) turns it off, FORCE_COLOR on. */
export function choosePaint(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  if (env.NO_COLOR) return noPaint;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return ansiPaint;
  return isTerminal && env.TERM !== 'dumb' ? ansiPaint : noPaint;
}

function wrap(on: number, off: number): (text: string) => string {
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`;
}
