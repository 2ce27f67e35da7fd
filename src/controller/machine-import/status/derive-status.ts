import { importStatuses } from '../../../api/literals.ts';
import type { ImportStatusFields } from '../../../api/virtual-machine-import.ts';
import { mergeConditions } from '../../conditions.ts';
import { diskStatusesOf } from './disk-statuses.ts';
import { conditionsOf } from './import-conditions.ts';
import { progressOf } from './import-progress.ts';
import { nextImportStatus } from './import-status.ts';
import type { StatusFacts } from './status-facts.ts';

/**
 * The status that what was seen amounts to. Upstream's fields go through upstream's words in upstream's order, one word a write, whatever happened meanwhile: dashboards and scripts
 * wait for each of them (ruling 14). The same facts always give the same status, so nothing is written when nothing changed.
 */
export function deriveStatus(facts: StatusFacts): ImportStatusFields {
  const { stored, seen, plan } = facts;
  const now = new Date(seen.now).toISOString();
  const importStatus = nextImportStatus(facts);
  const progress = progressOf(facts, importStatus);
  const { importStatus: _, ...kept } = stored;
  return {
    ...kept,
    ...(importStatus === undefined ? {} : { importStatus }),
    ...(plan === undefined ? {} : { importedVirtualMachineName: plan.targetName }),
    importConditions: mergeConditions(stored.importConditions ?? [], conditionsOf(facts, importStatus), now),
    ...(plan === undefined ? {} : { diskImportStatus: diskStatusesOf(facts, importStatus, now) }),
    progress,
  };
}

/** True once everything that a watcher may wait for was said. */
export function hasSaidEverything(status: ImportStatusFields): boolean {
  return status.importStatus === importStatuses.machineRunning && status.progress?.phase === 'Finished';
}
