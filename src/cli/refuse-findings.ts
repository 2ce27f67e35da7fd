import type { ImportPlan } from '../app/import-plan.ts';
import { isBlocker } from '../domain/finding.ts';
import type { yesFlag } from './confirm.ts';
import type { CommandCall } from './define-command.ts';
import { ExitCode } from './exit-code.ts';
import { waitForAnswer } from './io.ts';
import { printable } from './printable.ts';
import { renderFindings } from './render/findings.ts';

/** Blockers stop; warnings are shown, and asked about where somebody is there to answer. */
export async function refusalOf(
  plans: readonly ImportPlan[],
  { io, flags: given, signal }: Pick<CommandCall<typeof yesFlag>, 'io' | 'flags' | 'signal'>,
): Promise<ExitCode | undefined> {
  const told = plans.map((plan) => ({ plan, serious: plan.findings.filter(({ severity }) => severity !== 'note') }));
  const serious = told.flatMap((each) => each.serious);
  if (serious.length === 0) return undefined;
  const isBlocked = serious.some(isBlocker);
  const mayAsk = !given.yes && io.ask !== undefined;
  const text = told
    .filter((each) => each.serious.length > 0)
    .flatMap(({ plan, serious: own }) => [
      ...(plans.length > 1 ? [io.paint.bold(printable(plan.machine.name))] : []),
      renderFindings(own, io),
    ])
    .join('\n');
  if (isBlocked || mayAsk) io.complain(text);
  else io.note(text);
  if (isBlocked) {
    io.complain('Nothing was imported.');
    return ExitCode.blocked;
  }
  if (given.yes || io.ask === undefined) return undefined;
  const names = plans.map(({ targetName }) => targetName).join(', ');
  const answer = await waitForAnswer(io.ask(`Import ${names} all the same? [y/N] `, { signal }));
  if (/^y(es)?$/i.test(answer.trim())) return undefined;
  io.complain('Nothing was imported.');
  return ExitCode.blocked;
}
