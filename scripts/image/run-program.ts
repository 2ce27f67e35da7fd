import { execFile } from 'node:child_process';
import { ImageError } from './image-error.ts';

export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end; a status other than zero is a result, not an error. */
export type RunProgram = (program: string, args: readonly string[], options?: ProgramOptions) => Promise<ProgramResult>;

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** @throws ImageError for a program that is not installed */
export const runProgram: RunProgram = (program, args, options = {}) =>
  new Promise((resolve, reject) => {
    execFile(program, args, { ...options, encoding: 'utf8', maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ status: error.code, stdout, stderr });
      else if (error.code === 'ENOENT') {
        reject(new ImageError(`${program} is not installed; the image is built on a Debian machine`, { cause: error }));
      } else reject(error);
    });
  });

/** The output of a program that must succeed. @throws ImageError with what it said */
export async function outputOf(
  run: RunProgram,
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, options);
  if (status === 0) return stdout;
  throw new ImageError(`${program} ${args.slice(0, 2).join(' ')} ended with status ${status}:\n${stderr.trim()}`);
}
