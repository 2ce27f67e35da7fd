import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { choosePaint, type Io } from '../cli/io.ts';

const NARROWEST = 60;
const WIDEST = 120;

/** The process's own streams. Questions are asked only where both sides are a terminal. */
export function createTerminal(): Io {
  const { stdin, stdout, stderr, env } = process;
  const isInteractive = stdin.isTTY === true && stderr.isTTY === true;
  const columns = (stdout.isTTY ? stdout.columns : stderr.isTTY ? stderr.columns : undefined) ?? 100;
  return {
    print: (text) => void (text !== '' && stdout.write(`${text}\n`)),
    note: (text) => void stderr.write(`${text}\n`),
    complain: (text) => void stderr.write(`${text}\n`),
    draw: (text) => void stderr.write(text),
    isTerminal: stderr.isTTY === true && env.TERM !== 'dumb',
    columns: Math.max(NARROWEST, Math.min(WIDEST, columns)),
    paint: choosePaint(stdout.isTTY === true && stderr.isTTY === true, env),
    ...(isInteractive ? { ask: (question: string) => ask(question, stderr), askSecret } : {}),
  };
}

async function ask(question: string, output: NodeJS.WritableStream): Promise<string> {
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

/** Typed characters would be echoed to the output, so they go nowhere. */
async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await ask('', nowhere);
  } finally {
    process.stderr.write('\n');
  }
}
