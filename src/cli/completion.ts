import type { CommandDefinition } from './define-command.ts';

export type Shell = 'bash' | 'zsh' | 'fish';
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** A completion script made from the commands' own definitions. */
export function renderCompletion(shell: Shell, commands: readonly CommandDefinition[]): string {
  if (shell === 'bash') return bash(commands);
  return shell === 'zsh' ? zsh(commands) : fish(commands);
}

function flagWords(command: CommandDefinition): string[] {
  return ['--help', ...Object.keys(command.flags).map((name) => `--${name}`)];
}

/** Fixed values: of choices, and of positionals that have some. */
function choicesOf(command: CommandDefinition): (readonly [flag: string, values: readonly string[]])[] {
  return Object.entries(command.flags).flatMap(([name, flag]) =>
    flag.type === 'choice' ? [[`--${name}`, flag.of] as const] : [],
  );
}

function valuesOf(command: CommandDefinition): readonly string[] | undefined {
  return command.positionals[0]?.of;
}

function bash(commands: readonly CommandDefinition[]): string {
  const cases = commands.map((command) => {
    const choices = choicesOf(command).map(
      ([flag, values]) => `      ${command.name}:${flag}) words="${values.join(' ')}" ;;`,
    );
    const values = valuesOf(command);
    const fallback =
      values === undefined
        ? ''
        : `      ${command.name}:*) case "$current" in -*) ;; *) words="${values.join(' ')}" ;; esac ;;`;
    return [...choices, ...(fallback === '' ? [] : [fallback])].join('\n');
  });
  const flags = commands.map((command) => `        ${command.name}) words="${flagWords(command).join(' ')}" ;;`);
  return `# bash completion for airlift; load it with: source <(airlift completion bash)
_airlift() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(' ')} --help"
  else
    case "$command:$previous" in
${cases.filter(Boolean).join('\n')}
    esac
    if [ -z "$words" ] && [ "\${current#-}" != "$current" ]; then
      case "$command" in
${flags.join('\n')}
      esac
    fi
  fi
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _airlift airlift
`;
}

function zsh(commands: readonly CommandDefinition[]): string {
  const list = commands.map(({ name, help }) => `    '${name}:${quote(help)}'`);
  const cases = commands.map((command) => {
    const flags = Object.entries(command.flags).map(([name, flag]) => {
      const value =
        flag.type === 'switch' ? '' : flag.type === 'choice' ? `:value:(${flag.of.join(' ')})` : ':value:_files';
      return `        '--${name}[${quote(flag.help).replaceAll(/[[\]:]/g, ' ')}]${value}'`;
    });
    const values = valuesOf(command);
    const rest = values === undefined ? "        '*:file:_files'" : `        '1:value:(${values.join(' ')})'`;
    return `      ${command.name})\n      _arguments \\\n${[...flags, rest].join(' \\\n')}\n      ;;`;
  });
  return `#compdef airlift
# zsh completion for airlift; load it with: source <(airlift completion zsh)
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
compdef _airlift airlift
`;
}

function fish(commands: readonly CommandDefinition[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  const lines = commands.flatMap((command) => [
    `complete -c airlift -n 'not __fish_seen_subcommand_from ${names}' -f -a ${command.name} -d '${quote(command.help)}'`,
    ...Object.entries(command.flags).map(([name, flag]) => {
      const value = flag.type === 'switch' ? '' : flag.type === 'choice' ? ` -x -a '${flag.of.join(' ')}'` : ' -r';
      const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
      return `complete -c airlift -n '__fish_seen_subcommand_from ${command.name}' -l ${name}${short}${value} -d '${quote(flag.help)}'`;
    }),
    ...(valuesOf(command) === undefined
      ? []
      : [
          `complete -c airlift -n '__fish_seen_subcommand_from ${command.name}' -f -a '${valuesOf(command)?.join(' ')}'`,
        ]),
  ]);
  return `# fish completion for airlift; load it with: airlift completion fish | source\n${lines.join('\n')}\n`;
}

function quote(text: string): string {
  return text.replaceAll("'", '’');
}
