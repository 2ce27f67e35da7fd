import { expect, test } from 'vitest';
import { renderCompletion, SHELLS } from './completion.ts';
import { commands } from './run-cli.ts';

// What bash makes of its script is asked from bash in completion.integration.test.ts.
test.each(SHELLS)('the script for %s', (shell) => {
  expect(renderCompletion(shell, commands)).toMatchSnapshot();
});

test.each(SHELLS)('%s knows every command and option', (shell) => {
  const script = renderCompletion(shell, commands);
  for (const { name, flags } of commands) {
    expect(script).toContain(name);
    for (const flag of Object.keys(flags)) expect(script).toContain(shell === 'fish' ? `-l ${flag}` : `--${flag}`);
  }
});
