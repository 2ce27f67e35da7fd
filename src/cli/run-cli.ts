import { Command, CommanderError, Option } from 'commander';
import type { Clock } from '../app/platforms.ts';
import { isProblem } from '../domain/problems.ts';
import { createCompletionCommand } from './commands/completion.ts';
import { importCommand } from './commands/import.ts';
import { inspectCommand } from './commands/inspect.ts';
import { planCommand } from './commands/plan.ts';
import { verifyCommand } from './commands/verify.ts';
import { versionCommand } from './commands/version.ts';
import type { CommandDefinition, Flag } from './define-command.ts';
import { ExitCode } from './exit-code.ts';
import type { Io } from './io.ts';
import { renderBug, renderProblem } from './render/problem.ts';
import type { Services } from './services.ts';
import { UsageError } from './shared-flags.ts';

export interface CliParts {
  readonly services: Services;
  readonly io: Io;
  readonly clock: Clock;
  /** Aborted with ProblemError `Interrupted` when the user stops. */
  readonly signal: AbortSignal;
  readonly isDebug: boolean;
}

export const commands: readonly CommandDefinition[] = [
  inspectCommand,
  planCommand,
  importCommand,
  verifyCommand,
  versionCommand,
  createCompletionCommand(() => commands),
];

/** Runs one command line (without the program's name) to its exit code. Never throws. */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<ExitCode> {
  const { io } = parts;
  let exitCode: ExitCode = ExitCode.ok;
  const program = new Command('airlift')
    .description(
      'Imports virtual machines into KubeVirt and Harvester, verified byte by byte, also where there is no internet.',
    )
    .helpCommand(false)
    .option('--quiet', 'print results and problems only')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 problem, 2 wrong usage, 3 blocked by findings, 4 difference found, 5 something could not be looked at, 130 interrupted.',
    );
  configureOutput(program, io);
  for (const definition of commands) {
    const command = buildCommand(definition);
    configureOutput(command, io);
    command.action(async () => {
      const quiet = program.opts().quiet === true || command.opts().quiet === true;
      exitCode = await definition.run({
        ...parts,
        io: quiet ? { ...io, note: () => {}, draw: () => {}, isTerminal: false } : io,
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
    return exitCodeOf(error, parts);
  }
}

function exitCodeOf(error: unknown, { io, isDebug, signal }: CliParts): ExitCode {
  // Commander ends --help this way too, and has printed what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  if (error instanceof UsageError) {
    io.complain(`error: ${error.message}`);
    return ExitCode.usage;
  }
  const cause = signal.aborted && isProblem(signal.reason) && !isProblem(error) ? signal.reason : error;
  if (!isProblem(cause)) {
    io.complain(renderBug(cause, isDebug));
    return ExitCode.problem;
  }
  io.complain(renderProblem(cause, io));
  if (isDebug) io.complain(String(cause.stack));
  if (cause.code === 'Interrupted') return ExitCode.interrupted;
  return cause.code === 'VerificationFailed' ? ExitCode.different : ExitCode.problem;
}

function configureOutput(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.print(text.trimEnd()),
    writeErr: (text) => io.complain(text.trimEnd()),
    getOutHelpWidth: () => io.columns,
    getErrHelpWidth: () => io.columns,
  });
}

function buildCommand(definition: CommandDefinition): Command {
  const command = new Command(definition.name)
    .description(definition.help)
    .option('--quiet', 'print results and problems only');
  for (const { name, help, isOptional, isList } of definition.positionals) {
    const text = isList ? `${name}...` : name;
    command.argument(isOptional ? `[${text}]` : `<${text}>`, help);
  }
  for (const [name, flag] of Object.entries(definition.flags)) command.addOption(buildOption(name, flag));
  const width = Math.max(0, ...definition.examples.map(([line]) => line.length));
  const examples = definition.examples.map(([line, does]) =>
    width > 60 ? `  ${line}\n      ${does}` : `  ${line.padEnd(width)}  ${does}`,
  );
  if (examples.length > 0) command.addHelpText('after', `\nExamples:\n${examples.join('\n')}`);
  return command;
}

function buildOption(name: string, flag: Flag): Option {
  const long = `${flag.short === undefined ? '' : `-${flag.short}, `}--${name}`;
  if (flag.type === 'switch') return new Option(long, flag.help);
  if (flag.type === 'list') {
    const collect = (value: string, before: readonly string[]) => [...before, value];
    return new Option(`${long} <${flag.placeholder}>`, flag.help).default([], 'none').argParser(collect);
  }
  if (flag.type === 'text')
    return new Option(`${long} <${flag.placeholder}>`, flag.help).makeOptionMandatory(flag.isRequired ?? false);
  const option = new Option(`${long} <${flag.of.join('|')}>`, flag.help).choices([...flag.of]);
  return flag.default === undefined ? option : option.default(flag.default);
}

/** Commander turns names into camel case; commands know their flags by the names they gave. */
function readFlags(definition: CommandDefinition, given: Readonly<Record<string, unknown>>): never {
  const values = Object.entries(definition.flags).map(([name, flag]) => {
    const value = given[name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    return [name, flag.type === 'switch' ? value === true : value];
  });
  return Object.fromEntries(values) as never;
}
