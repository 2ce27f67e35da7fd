import type { CommandCall } from './define-command.ts';
import { waitForAnswer } from './io.ts';
import { UsageError } from './usage-error.ts';

export const yesFlag = { yes: { type: 'switch', short: 'y', help: 'Do not ask' } } as const;

/**
 * Whether the user wants what was shown to be done.
 * @throws UsageError where nobody is there to be asked, and --yes was not given
 */
export async function confirm(
  { flags, io, signal }: Pick<CommandCall<typeof yesFlag>, 'flags' | 'io' | 'signal'>,
  question: string,
): Promise<boolean> {
  if (flags.yes) return true;
  if (io.ask === undefined) throw new UsageError(`nobody is there to answer "${question}"; add --yes`);
  const answer = await waitForAnswer(io.ask(`${question} [y/N] `, { signal }));
  return /^y(es)?$/i.test(answer.trim());
}
