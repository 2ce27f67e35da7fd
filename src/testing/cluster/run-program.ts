import { execFile } from 'node:child_process';
import { clusterEnvironment } from './cluster-environment.ts';

/** Runs a program to its end and returns what it prints; rejects with its own words. */
export function runProgram(program: string, args: readonly string[], options: { readonly input?: string } = {}) {
  return new Promise<string>((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { env: clusterEnvironment('/'), maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${program} ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
      },
    );
    child.stdin?.on('error', () => undefined); // It ended without reading all; its exit code tells.
    child.stdin?.end(options.input ?? '');
  });
}
