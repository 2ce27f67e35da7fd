import { type ImportStatus, importStatuses } from '../../../api/literals.ts';
import { type Finding, isBlocker } from '../../../domain/finding.ts';
import type { Action, ObservedDisk, ObservedImport } from '../../../domain/next-action.ts';
import { problems } from '../../../domain/problems.ts';
import { isOver } from '../history.ts';
import type { StatusFacts } from './status-facts.ts';

/** Upstream's states in the order in which a volume goes through them. */
const ORDER: readonly (ImportStatus | undefined)[] = [
  undefined,
  importStatuses.valid,
  importStatuses.sourceReady,
  importStatuses.disksExported,
  importStatuses.imagesSubmitted,
  importStatuses.imagesReady,
  importStatuses.machineCreated,
  importStatuses.machineRunning,
];

/** True when `status` is as far as `reached`, or further. */
export function hasReached(status: ImportStatus | undefined, reached: ImportStatus): boolean {
  return ORDER.indexOf(status) >= ORDER.indexOf(reached);
}

/** Upstream's word for how far an import is: one step at a time, and never back but for an image that is given up. */
export function nextImportStatus({ stored, seen, action, findings }: StatusFacts): ImportStatus | undefined {
  const current = stored.importStatus as ImportStatus | undefined;
  if (action.type === 'restart') return undefined;
  if (seen.isDeleting || isOver(seen.history)) return current;
  if (seen.preflight === undefined && seen.machine.state === 'absent')
    return current === importStatuses.invalid ? undefined : current;
  const isBlocked = findings.some(isBlocker) && seen.machine.state === 'absent';
  // The old controller's images are found by its word alone.
  if (isBlocked) return isForPerson(findings) && seen.history === 'ours' ? importStatuses.invalid : current;
  if (action.type === 'giveUpImage') return importStatuses.imagesFailed;
  if (current === importStatuses.imagesFailed) return importStatuses.sourceReady;
  const reached = ORDER.indexOf(reachedStatus(seen, action));
  const at = Math.max(0, ORDER.indexOf(current));
  return at < reached ? ORDER[at + 1] : ORDER[at];
}

/** Only what nobody but a person can change makes an import invalid in upstream's sense, which is for ever there (W11). */
function isForPerson(findings: readonly Finding[]): boolean {
  return findings.some((each) => isBlocker(each) && problems[each.code].retry === 'never');
}

function reachedStatus({ disks, machine, sourcePower, history }: ObservedImport, action: Action): ImportStatus {
  if (machine.state === 'kept' || action.type === 'finish') return importStatuses.machineRunning;
  if (machine.state === 'created') return importStatuses.machineCreated;
  if (history === 'imagesReady') return importStatuses.imagesReady;
  if (disks.length > 0 && disks.every(({ isDone }) => isDone)) return importStatuses.imagesReady;
  if (disks.some(({ image }) => image !== undefined)) {
    if (disks.every((each) => each.isDone || hasImage(each))) return importStatuses.imagesSubmitted;
    if (disks.every((each) => each.isDone || hasImage(each) || isServed(each))) return importStatuses.disksExported;
  }
  const isUnderWay = disks.some(({ epoch }) => epoch > 0);
  return isUnderWay || (disks.length > 0 && sourcePower.state === 'off' && action.type === 'startTransfer')
    ? importStatuses.sourceReady
    : importStatuses.valid;
}

function hasImage({ image }: ObservedDisk): boolean {
  return image?.state === 'importing' || image?.state === 'imported';
}

/** Upstream's disks are exported when there is a file of each; here, when somebody serves it. */
function isServed({ image }: ObservedDisk): boolean {
  return image?.state === 'absent' && image.isServed;
}
