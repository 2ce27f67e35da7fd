import type { ProgramOptions, ProgramResult, RunProgram } from '../run-program.ts';

export interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly options: ProgramOptions;
}

/** Programs that answer as told, and what they were asked. An answer may be a text for standard output. */
export function fakeRun(answer: (call: Call) => string | Partial<ProgramResult> | Promise<string>): {
  readonly run: RunProgram;
  readonly calls: readonly Call[];
} {
  const calls: Call[] = [];
  return {
    calls,
    run: async (program, args, options = {}) => {
      const call = { program, args, options };
      calls.push(call);
      const given = await answer(call);
      return { status: 0, stdout: '', stderr: '', ...(typeof given === 'string' ? { stdout: given } : given) };
    },
  };
}
