import { Command, Option } from 'commander';
import type { CommandDefinition, Flag } from './define-command.ts';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

/** Examples wider than this have what they do on a line of their own. */
const WIDE_EXAMPLE = 44;

/** A definition as commander understands it; who adds the action reads its flags with `readFlags`. */
export function buildCommand(definition: CommandDefinition, io: Io): Command {
  const { name, help, positionals, flags, examples } = definition;
  const command = new Command(name).description(help);
  configureCommand(command, io);
  for (const positional of positionals) {
    const text = positional.isList ? `${positional.name}...` : positional.name;
    command.argument(positional.isOptional ? `[${text}]` : `<${text}>`, positional.help);
  }
  for (const [flagName, flag] of Object.entries(flags)) command.addOption(buildOption(flagName, flag));
  addCommonOptions(command);
  const width = Math.max(0, ...examples.map(([line]) => line.length));
  const lines = examples.map(([line, does]) =>
    width > WIDE_EXAMPLE ? `  ${line}\n      ${does}` : `  ${line.padEnd(width)}  ${does}`,
  );
  return command.showHelpAfterError(hintFor(name)).addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** Also of the program itself, so that they may stand before the command's name. */
export function addCommonOptions(command: Command): void {
  command
    .option('--quiet', 'Print results and problems only')
    .option('--debug', 'Print where in the program an error comes from (also: AIRLIFT_DEBUG=1)')
    .helpOption('-h, --help', 'Show this help');
}

/** Where everything is printed, and that nothing ends the process. */
export function configureCommand(command: Command, io: Io): void {
  command
    .configureHelp({
      // Without commander's list of choices: the placeholder has them already.
      optionDescription: ({ description, defaultValue }) =>
        typeof defaultValue === 'string' ? `${description} (default: ${defaultValue})` : description,
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.print(text.trimEnd()),
      writeErr: (text) => io.complain(text.trimEnd()),
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

export function hintFor(commandName: string): string {
  return `(airlift ${commandName} --help shows what it takes)`;
}

function buildOption(name: string, flag: Flag): Option {
  const long = `${flag.short === undefined ? '' : `-${flag.short}, `}--${name}`;
  if (flag.type === 'switch') return new Option(long, flag.help);
  if (flag.type === 'list') {
    const collect = (value: string, before: readonly string[]) => [...before, value];
    return new Option(`${long} <${flag.placeholder}>`, flag.help).default([]).argParser(collect);
  }
  if (flag.type === 'text') {
    const help = flag.isRequired ? `${flag.help} (required)` : flag.help;
    return new Option(`${long} <${flag.placeholder}>`, help);
  }
  const option = new Option(`${long} <${flag.of.join('|')}>`, flag.help).choices([...flag.of]);
  return flag.default === undefined ? option : option.default(flag.default);
}

/**
 * Commander turns names into camel case; commands know their flags by the names they gave. Required ones are looked for here, since commander would complain about
 * a missing `--to` before it looked at the `--too` that was meant to be it.
 * @throws UsageError
 */
export function readFlags(definition: CommandDefinition, given: Readonly<Record<string, unknown>>): never {
  const values = Object.entries(definition.flags).map(([name, flag]) => {
    const value = given[name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())];
    if (value === undefined && flag.type === 'text' && flag.isRequired)
      throw new UsageError(`${definition.name} needs --${name} <${flag.placeholder}>`);
    return [name, flag.type === 'switch' ? value === true : value];
  });
  return Object.fromEntries(values) as never;
}
