import { Command, CommanderError } from 'commander';
import type { Clock } from '../app/platforms.ts';
import { isProblem, type ProblemError } from '../domain/problems.ts';
import { addCommonOptions, buildCommand, configureCommand, hintFor, readFlags } from './build-command.ts';
import { applyCommand } from './commands/apply.ts';
import { benchCommand } from './commands/bench.ts';
import { cancelCommand } from './commands/cancel.ts';
import { createCompletionCommand } from './commands/completion.ts';
import { crdCommand } from './commands/crd.ts';
import { deleteCommand } from './commands/delete.ts';
import { describeCommand } from './commands/describe.ts';
import { getCommand } from './commands/get.ts';
import { importCommand } from './commands/import.ts';
import { inspectCommand } from './commands/inspect.ts';
import { logsCommand } from './commands/logs.ts';
import { orphansCommand } from './commands/orphans.ts';
import { planCommand } from './commands/plan.ts';
import { resumeCommand } from './commands/resume.ts';
import { retryCommand } from './commands/retry.ts';
import { suspendCommand } from './commands/suspend.ts';
import { verifyCommand } from './commands/verify.ts';
import { versionCommand } from './commands/version.ts';
import type { CommandDefinition } from './define-command.ts';
import { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { MachineFailures } from './machine-failures.ts';
import { printable } from './printable.ts';
import { renderBug, renderProblem, stackOf } from './render/problem.ts';
import type { Services } from './services.ts';
import { renderCommandLine } from './shell-words.ts';
import { UsageError } from './usage-error.ts';

export interface CliParts {
  readonly services: Services;
  readonly io: Io;
  readonly clock: Clock;
  /** Aborted with ProblemError `Interrupted` when the user stops. */
  readonly signal: AbortSignal;
  /** Whether errors are printed with their stack, as `--debug` does too. */
  readonly isDebug: boolean;
  /** How the user calls us, for command lines to copy; `airlift` unless given. */
  readonly programName?: string;
}

export const commands: readonly CommandDefinition[] = [
  inspectCommand,
  planCommand,
  importCommand,
  verifyCommand,
  benchCommand,
  getCommand,
  describeCommand,
  applyCommand,
  retryCommand,
  suspendCommand,
  resumeCommand,
  cancelCommand,
  deleteCommand,
  logsCommand,
  orphansCommand,
  crdCommand,
  versionCommand,
  createCompletionCommand(() => commands),
];

/** Runs one command line (without the program's name) to its exit code. Never throws. */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<ExitCode> {
  const { io, services } = parts;
  // What is running, for the answer to an error.
  const run: Run = { argv, definition: undefined, isDebug: parts.isDebug };
  let exitCode: ExitCode = ExitCode.ok;
  const program = new Command('airlift')
    .description(
      'Imports virtual machines into KubeVirt and Harvester, verified byte by byte, also where there is no internet.',
    )
    .helpCommand('help [command]', 'Show the help of a command.')
    .showHelpAfterError('(airlift --help lists the commands)')
    .addHelpText('after', EXIT_CODES);
  configureCommand(program, io);
  addCommonOptions(program);
  program.version(services.versions().airlift ?? 'unknown', '-V, --version', 'Show the version alone');
  for (const definition of commands) {
    const command = buildCommand(definition, io);
    command.action(async () => {
      const given = { ...program.opts(), ...command.opts() };
      run.definition = definition;
      run.isDebug = parts.isDebug || given.debug === true;
      exitCode = await definition.run({
        ...parts,
        io: given.quiet === true ? { ...io, note: () => {}, draw: () => {}, isTerminal: false } : io,
        positionals: command.processedArgs.flat().filter((each): each is string => each !== undefined),
        flags: readFlags(definition, command.opts()),
      });
    });
    program.addCommand(command);
  }
  try {
    if (argv.length === 0) program.help();
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return answerError(error, parts, run);
  }
}

const EXIT_CODES = `
Exit codes:
  0 done, 1 a problem, 2 wrong usage, 3 blocked by findings, 4 verification found a difference,
  5 something could not be looked at, 130 interrupted`;

interface Run {
  readonly argv: readonly string[];
  definition: CommandDefinition | undefined;
  isDebug: boolean;
}

/** What failed first, where closing things afterwards failed as well (`await using`). */
function firstFailure(error: unknown): unknown {
  return error instanceof SuppressedError ? firstFailure(error.suppressed) : error;
}

/** Says what went wrong and what to do. */
function answerError(error: unknown, parts: CliParts, run: Run): ExitCode {
  const { io, signal, programName = 'airlift' } = parts;
  // Commander ends --help this way too, and has printed what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof UsageError) {
    io.complain(`error: ${error.message}\n${hintFor(run.definition?.name ?? '')}`);
    return ExitCode.usage;
  }
  if (error instanceof MachineFailures) return answerFailures(error, parts, run);
  // An abort may surface as whatever the interrupted call makes of it.
  const first = firstFailure(error);
  const cause = signal.aborted && isProblem(signal.reason) && !isProblem(first) ? signal.reason : first;
  if (!isProblem(cause)) {
    io.complain(renderBug(cause, run.isDebug));
    return ExitCode.problem;
  }
  if (isProblem(cause, 'Interrupted') && !run.definition?.isResumable) {
    io.complain(`Stopped; ${run.definition?.whenInterrupted ?? 'nothing was changed.'}`);
    return ExitCode.interrupted;
  }
  io.complain(renderProblem(cause, io, commandToContinue(cause, run, programName)));
  if (run.isDebug) io.complain(stackOf(cause).join('\n'));
  if (cause.code === 'Interrupted') return ExitCode.interrupted;
  return cause.code === 'VerificationFailed' ? ExitCode.different : ExitCode.problem;
}

/** Each machine's own answer; a difference found is worse than what can be tried again. */
function answerFailures({ failures }: MachineFailures, parts: CliParts, run: Run): ExitCode {
  const codes = failures.map(({ name, error }) => {
    parts.io.complain(parts.io.paint.bold(printable(name)));
    return answerError(error, parts, run);
  });
  return codes.includes(ExitCode.different) ? ExitCode.different : ExitCode.problem;
}

const NEEDS_RESTART = ['SourceChanged', 'PlanChanged', 'CheckpointUnusable'] as const;

/** The command line that goes on from here, where there is one. */
function commandToContinue(problem: ProblemError, { argv, definition }: Run, programName: string): string | undefined {
  if (!definition?.isResumable) return undefined;
  const isRestart = isProblem(problem, ...NEEDS_RESTART);
  const isWorthRetry = problem.problem.retry !== 'never' || problem.code === 'Interrupted';
  if (!isRestart && !isWorthRetry) return undefined;
  return renderCommandLine(programName, isRestart && !argv.includes('--restart') ? [...argv, '--restart'] : argv);
}
