import {
  airliftConditions,
  EXPORT_FAILED_PREFIX,
  type ImportStatus,
  importConditions,
  importStatuses,
} from '../../../api/literals.ts';
import { isBlocker } from '../../../domain/finding.ts';
import type { Action, ObservedImport } from '../../../domain/next-action.ts';
import type { ProblemCode } from '../../../domain/problems.ts';
import { type ConditionClaim, isConditionTrue } from '../../conditions.ts';
import { hasReached } from './import-status.ts';
import type { StatusFacts } from './status-facts.ts';

/** Upstream's conditions of an import, and ours. */
export function conditionsOf(
  { stored, seen, action, findings }: StatusFacts,
  importStatus: ImportStatus | undefined,
): ConditionClaim[] {
  const claims: ConditionClaim[] = [];
  const say = (type: string, isTrue: boolean, reason?: string, message?: string) =>
    claims.push({ type, status: isTrue ? 'True' : 'False', reason, message });
  const takeBack = (type: string) => {
    if (isConditionTrue(stored.importConditions, type)) say(type, false);
  };
  const { sourcePower } = seen;
  if (sourcePower.state === 'on' && sourcePower.asked === 'shutdown') say(importConditions.shutdownGuest, true);
  if (sourcePower.state === 'on' && sourcePower.asked === 'powerOff') say(importConditions.poweringOff, true);
  if (hasReached(importStatus, importStatuses.sourceReady) && sourcePower.state === 'off') {
    say(importConditions.shutdownGuest, true);
    say(importConditions.poweredOff, true);
  }
  if (hasReached(importStatus, importStatuses.disksExported)) say(importConditions.exported, true);
  else takeBack(importConditions.exported);
  const failed = failedTransfer(seen, action);
  if (failed !== undefined)
    say(importConditions.exportFailed, true, failed.code, `${EXPORT_FAILED_PREFIX}${failed.message}`);
  // It is tried again, or was: upstream's stays for ever (W2).
  else takeBack(importConditions.exportFailed);

  if (seen.preflight !== undefined) {
    const blockers = findings.filter(isBlocker);
    const [first] = blockers;
    say(
      airliftConditions.preflightPassed,
      first === undefined,
      first?.code ?? 'NothingInTheWay',
      blockers.length === 0 ? undefined : blockers.map(({ message }) => message).join('; '),
    );
  }
  const isCopied = seen.disks.length > 0 && seen.disks.every(({ isDone }) => isDone);
  if (seen.disks.length > 0) say(airliftConditions.disksTransferred, isCopied);
  const stall = action.type === 'stall' ? action : undefined;
  if (stall !== undefined) say(airliftConditions.stalled, true, stall.code, stall.message);
  else say(airliftConditions.stalled, false);
  say(airliftConditions.ready, action.type === 'finish' && importStatus === importStatuses.machineRunning);
  return claims;
}

function failedTransfer({ disks }: ObservedImport, action: Action): { code: ProblemCode; message: string } | undefined {
  if (action.type !== 'stall') return undefined;
  return disks
    .flatMap(({ transfer }) => (transfer?.state === 'failed' && transfer.problem ? [transfer.problem] : []))
    .find(({ code }) => code === action.code);
}
