import { renderCompletion, SHELLS } from '../completion.ts';
import { type CommandDefinition, defineCommand } from '../define-command.ts';
import { ExitCode } from '../exit-code.ts';
import { UsageError } from '../usage-error.ts';

/** @param commands all commands, this one included once they are all made */
export function createCompletionCommand(commands: () => readonly CommandDefinition[]): CommandDefinition {
  return defineCommand({
    name: 'completion',
    help: 'Print a script that completes commands and options in a shell.',
    positionals: [{ name: 'shell', help: 'bash, zsh or fish', of: SHELLS }],
    flags: {},
    examples: [['source <(airlift completion bash)', 'for this bash']],
    async run({ positionals, io }) {
      const shell = SHELLS.find((each) => each === positionals[0]);
      if (shell === undefined)
        throw new UsageError(`there is no completion for "${positionals[0]}"; there are ${SHELLS.join(', ')}`);
      io.print(renderCompletion(shell, commands()).trimEnd());
      return ExitCode.ok;
    },
  });
}
