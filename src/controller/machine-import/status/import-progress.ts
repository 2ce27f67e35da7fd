import type { ImportStatus } from '../../../api/literals.ts';
import type { DiskProgress, ImportProgress } from '../../../api/virtual-machine-import.ts';
import type { Finding } from '../../../domain/finding.ts';
import { problems } from '../../../domain/problems.ts';
import { describePhase } from './describe-phase.ts';
import { diskProgressOf } from './disk-progress.ts';
import type { LiveProgress, StatusFacts } from './status-facts.ts';

/** What of an import people read: phase, reason and next step, how far it is and how long it still takes. */
export function progressOf(facts: StatusFacts, importStatus: ImportStatus | undefined): ImportProgress {
  const { generation, retry, stored, seen, action, plan, findings, live, results } = facts;
  const before = stored.progress ?? {};
  const now = new Date(seen.now).toISOString();
  const { phase, reason, message, code } = describePhase(facts, importStatus);
  const disks = plan?.disks.map((disk) =>
    diskProgressOf(disk, seen, before, { live: live.get(disk.index), result: results.get(disk.index) }),
  );
  const sums = sumUp(disks ?? [], live);
  const isOver = phase === 'Finished';
  const moved = [...live.values()].map(({ at }) => at);
  return {
    phase,
    reason,
    ...(message === undefined ? {} : { message }),
    ...(code === undefined ? {} : { nextStep: problems[code].remedy }),
    observedGeneration: generation,
    ...sums,
    ...(moved.length > 0
      ? { lastProgressTime: new Date(Math.max(...moved)).toISOString() }
      : before.lastProgressTime === undefined
        ? {}
        : { lastProgressTime: before.lastProgressTime }),
    startedAt: action.type === 'restart' ? now : (before.startedAt ?? now),
    ...(isOver ? { finishedAt: before.finishedAt ?? now } : {}),
    ...(retry === undefined ? {} : { retry }),
    attempt: (before.attempt ?? 0) + (action.type === 'restart' || before.attempt === undefined ? 1 : 0),
    ...(findings.length === 0 ? {} : { findings: findings.slice(0, MOST_FINDINGS).map(toStoredFinding) }),
    ...(disks === undefined ? {} : { disks }),
  };
}

/** More would only make the object hard to read; `airlift plan` shows all. */
const MOST_FINDINGS = 50;

function toStoredFinding({ severity, code, message, subject }: Finding) {
  return {
    severity,
    code,
    message,
    ...(subject === undefined ? {} : { subject }),
    ...(severity === 'note' ? {} : { remedy: problems[code].remedy }),
  };
}

function sumUp(disks: readonly DiskProgress[], live: ReadonlyMap<number, LiveProgress>): Partial<ImportProgress> {
  if (disks.length === 0) return {};
  const doneBytes = disks.reduce(
    (sum, { phase, doneBytes: done = 0, totalBytes }) => sum + (phase === 'Done' ? (totalBytes ?? done) : done),
    0,
  );
  // What was last told of a disk that has stopped since is no rate any more.
  const moving = disks.filter(({ phase }) => phase === 'Transferring' || phase === 'Verifying');
  const rate = moving.reduce((sum, { index = 0 }) => sum + (live.get(index)?.bytesPerSecond ?? 0), 0);
  const totals = disks.map(({ totalBytes }) => totalBytes);
  const isKnown = totals.every((each) => each !== undefined);
  const totalBytes = isKnown ? totals.reduce((sum: number, each) => sum + (each ?? 0), 0) : undefined;
  const left = totalBytes === undefined ? undefined : Math.max(0, totalBytes - doneBytes);
  const isAllDone = disks.every(({ phase }) => phase === 'Done');
  return {
    doneBytes,
    ...(totalBytes === undefined ? {} : { totalBytes, percent: percentOf(doneBytes, totalBytes, isAllDone) }),
    ...(rate > 0 && !isAllDone ? { bytesPerSecond: Math.round(rate) } : {}),
    ...(rate > 0 && left !== undefined && !isAllDone ? { etaSeconds: Math.ceil(left / rate) } : {}),
  };
}

/** 100 only when everything is proven. */
function percentOf(doneBytes: number, totalBytes: number, isAllDone: boolean): string {
  if (isAllDone) return '100%';
  return `${totalBytes === 0 ? 0 : Math.min(99, Math.floor((100 * doneBytes) / totalBytes))}%`;
}
