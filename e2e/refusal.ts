import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type ProblemCode, problems } from '../src/domain/problems.ts';
import { type CliResult, startCli } from './support.ts';

/** No single command here does more than a few seconds of work; one that takes this long hangs. */
const HANG_MS = 60_000;

export interface Attempt extends CliResult {
  /** What lies in the target folder afterwards; undefined when there is no such folder. */
  readonly left: readonly string[] | undefined;
  readonly out: string;
}

export interface AttemptOptions {
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  readonly format?: 'raw' | 'qcow2';
}

/** Runs `import` into `<folder>/out`. A process that hangs is ended and comes back with its signal. */
export async function attemptImport(source: string, folder: string, options: AttemptOptions = {}): Promise<Attempt> {
  const { args = [], env = {}, format = 'raw' } = options;
  const out = join(folder, 'out');
  const { process, result } = startCli(['import', source, '--to', `dir:${out}?format=${format}`, '--yes', ...args], {
    env,
  });
  const hang = setTimeout(() => process.kill('SIGKILL'), HANG_MS);
  const ended = await result;
  clearTimeout(hang);
  return { ...ended, out, left: existsSync(out) ? readdirSync(out) : undefined };
}

/** What every refused import has in common: a code, its remedy, an exit code of its own, and nothing left that looks finished (ruling 8). */
export function expectRefused(attempt: Attempt, code: ProblemCode): void {
  const { status, signal, stderr, stdout, left } = attempt;
  expect({ signal, stderr }, 'the process was not ended by us').toEqual({ signal: null, stderr });
  expect(stderr).toMatch(new RegExp(`(error|blocker +)\\s*${code}:`));
  expect(inOneLine(stderr)).toContain(`-> ${problems[code].remedy}`);
  expect(stderr).not.toContain('met a situation it should not');
  expect([1, 3]).toContain(status);
  expect(stdout).toBe('');
  if (problems[code].retry === 'never') expect(left).toBeUndefined();
  else expect((left ?? []).filter((name) => !name.endsWith('.partial'))).toEqual([]);
}

/** Without the line breaks that the terminal's width asks for. */
export function inOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
