import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { choosePaint, type Io } from '../cli/io.ts';
import type { CallOptions } from '../lib/call-options.ts';

const NARROWEST = 60;
const WIDEST = 120;
const PIPE_COLUMNS = 100;

/** The process's own streams. Questions are asked only where both sides are a terminal. */
export function createTerminal(): Io {
  const { stdin, stdout, stderr, env } = process;
  const isInteractive = stdin.isTTY === true && stderr.isTTY === true;
  return {
    print: (text) => void (text !== '' && stdout.write(`${text}\n`)),
    note: (text) => void stderr.write(`${text}\n`),
    complain: (text) => void stderr.write(`${text}\n`),
    draw: (text) => void stderr.write(text),
    isTerminal: stderr.isTTY === true && env.TERM !== 'dumb',
    // Asked anew each time: windows change their size.
    get columns() {
      const columns = (stdout.isTTY ? stdout.columns : stderr.isTTY ? stderr.columns : undefined) ?? PIPE_COLUMNS;
      return Math.max(NARROWEST, Math.min(WIDEST, columns));
    },
    paint: choosePaint(stdout.isTTY === true && stderr.isTTY === true, env),
    ...(isInteractive
      ? { ask: (question: string, options?: CallOptions) => ask(question, stderr, options), askSecret }
      : {}),
  };
}

async function ask(question: string, output: NodeJS.WritableStream, { signal }: CallOptions = {}): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await (signal === undefined ? lines.question(question) : lines.question(question, { signal }));
  } finally {
    lines.close();
  }
}

/** Typed characters would be echoed to the output, so they go nowhere. */
async function askSecret(question: string, options: CallOptions = {}): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask('', nowhere, options);
  } finally {
    process.stderr.write('\n');
  }
}
