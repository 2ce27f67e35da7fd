import { execFile } from 'node:child_process';
import { clusterEnvironment } from './cluster-environment.ts';

export interface RunOptions {
  /** Given to its standard input. */
  readonly input?: string;
  /** Instead of the little that a cluster's programs inherit. */
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/** Some programs explain themselves with everything they were given. */
const MOST_WORDS = 4000;

/** Runs a program to its end and returns what it prints; rejects with the beginning of what it says about why not. */
export function runProgram(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { input = '', env = clusterEnvironment('/'), signal } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { env, maxBuffer: 256 * 1024 * 1024, ...(signal === undefined ? {} : { signal }) },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const words = (stderr.trim() || error.message).slice(0, MOST_WORDS);
        const { code, killed, signal: endedBy } = error;
        const cause = { code, killed, signal: endedBy };
        reject(new Error(`${program.split('/').at(-1)} ${args.join(' ').slice(0, MOST_WORDS)}: ${words}`, { cause }));
      },
    );
    child.stdin?.on('error', () => undefined); // It ended without reading all; its exit code tells.
    child.stdin?.end(input);
  });
}
