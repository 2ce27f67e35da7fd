import type { CommandDefinition, Flag } from './define-command.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** Of every command besides its own. */
const COMMON_FLAGS: Readonly<Record<string, Flag>> = {
  quiet: { type: 'switch', help: 'Print results and problems only' },
  debug: { type: 'switch', help: 'Print where in the program an error comes from' },
  help: { type: 'switch', short: 'h', help: 'Show the help of the command' },
};

/** A completion script made from the commands' own definitions. */
export function renderCompletion(shell: Shell, commands: readonly CommandDefinition[]): string {
  if (shell === 'bash') return bash(commands);
  return shell === 'zsh' ? zsh(commands) : fish(commands);
}

function flagsOf(command: CommandDefinition): [name: string, flag: Flag][] {
  return Object.entries({ ...command.flags, ...COMMON_FLAGS });
}

/** Known values of the first positional, where it has some. */
function valuesOf({ positionals: [first] }: CommandDefinition): readonly string[] | undefined {
  return first?.of ?? first?.suggests;
}

/**
 * Readline breaks words at "=" and ":", so `--output=js` arrives as three words and `dir:./o` as three of which the last is a path. `compgen` prints a candidate per
 * line; they are read by lines because names of files may hold blanks. Written for bash 3.2 (macOS): no mapfile.
 */
function bash(commands: readonly CommandDefinition[]): string {
  const values = commands.flatMap((command) => [
    ...flagsOf(command).flatMap(([name, flag]) => {
      if (flag.type !== 'choice') return [];
      const patterns = [`${command.name}:--${name}`, ...(flag.short ? [`${command.name}:-${flag.short}`] : [])];
      return [`    ${patterns.join('|')}) words="${flag.of.join(' ')}" ;;`];
    }),
    ...(valuesOf(command) === undefined
      ? []
      : [`    ${command.name}:*) [[ $current == -* ]] || words="${valuesOf(command)?.join(' ')}" ;;`]),
  ]);
  const flags = commands.map((command) => {
    const words = flagsOf(command).map(([name]) => `--${name}`);
    return `      ${command.name}) words="${words.join(' ')}" ;;`;
  });
  return `# bash completion for airlift; load it with: source <(airlift completion bash)
_airlift() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" line index
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]]; then
    previous="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    if [[ \${COMP_WORDS[index]} != -* ]]; then
      command="\${COMP_WORDS[index]}"
      break
    fi
  done
  COMPREPLY=()
  case "$command:$previous" in
    :*) words="${commands.map(({ name }) => name).join(' ')} help --help --version" ;;
${values.join('\n')}
  esac
  if [[ -z $words && $current == -* ]]; then
    case "$command" in
${flags.join('\n')}
    esac
  fi
  if [[ -n $words ]]; then
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -W "$words" -- "$current")
  else
    compopt -o filenames 2>/dev/null
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
  fi
}
complete -F _airlift airlift
`;
}

function zsh(commands: readonly CommandDefinition[]): string {
  const list = commands.map(({ name, help }) => `    '${name}:${quote(help).replaceAll(':', '\\:')}'`);
  const cases = commands.map((command) => {
    const flags = flagsOf(command).map(([name, flag]) => {
      const help = quote(flag.help).replaceAll(/[[\]:]/g, ' ');
      const repeated = flag.type === 'list' ? '*' : '';
      const specification = `'[${help}]${zshValue(flag)}'`;
      return flag.short
        ? `        '(-${flag.short} --${name})'{-${flag.short},--${name}}${specification}`
        : `        '${repeated}'--${name}${specification}`;
    });
    const values = valuesOf(command);
    const rest = values === undefined ? "        '*:file:_files'" : `        '1:value:(${values.join(' ')})'`;
    return `      ${command.name})\n      _arguments \\\n${[...flags, rest].join(' \\\n')}\n      ;;`;
  });
  return `#compdef airlift
# zsh completion for airlift; load it with: source <(airlift completion zsh)
# or keep it as _airlift in a folder of $fpath
_airlift() {
  local -a commands
  commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
  else
    local command=$words[2]
    shift words; (( CURRENT-- ))
    case $command in
${cases.join('\n')}
    esac
  fi
}
if [[ $funcstack[1] == _airlift ]]; then _airlift "$@"; else compdef _airlift airlift; fi
`;
}

function zshValue(flag: Flag): string {
  if (flag.type === 'switch') return '';
  return flag.type === 'choice' ? `:value:(${flag.of.join(' ')})` : ':value:_files';
}

function fish(commands: readonly CommandDefinition[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const lines = commands.flatMap((command) => {
    const complete = `complete -c airlift -n '__fish_seen_subcommand_from ${command.name}'`;
    const values = valuesOf(command);
    return [
      `complete -c airlift -n 'not __fish_seen_subcommand_from ${names}' -f -a ${command.name} -d '${quote(command.help)}'`,
      ...flagsOf(command).map(([name, flag]) => {
        const value = flag.type === 'switch' ? '' : flag.type === 'choice' ? ` -x -a '${flag.of.join(' ')}'` : ' -r';
        return `${complete} -l ${name}${flag.short ? ` -s ${flag.short}` : ''}${value} -d '${quote(flag.help)}'`;
      }),
      ...(values === undefined ? [] : [`${complete} -f -a '${values.join(' ')}'`]),
    ];
  });
  return `# fish completion for airlift; load it with: airlift completion fish | source\n${lines.join('\n')}\n`;
}

/** For text inside single quotes, which has no escape for its own quote in all three shells. */
function quote(text: string): string {
  return text.replaceAll("'", '’');
}
