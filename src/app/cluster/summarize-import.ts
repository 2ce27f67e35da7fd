import type { ImportPhase } from '../../api/import-progress.ts';
import { importStatuses } from '../../api/literals.ts';
import {
  readVirtualMachineImport,
  type StoredVirtualMachineImport,
  type VirtualMachineImport,
} from '../../api/virtual-machine-import.ts';
import { type Problem, problems } from '../../domain/problems.ts';

/**
 * Where an import has come to. `done`, `failed` and `blocked` are ends until a person does something: failed on the way, or not begun because of what preflight found. Everything else,
 * also what is stalled by something that may pass by itself, is `open`.
 */
export type ImportVerdict = 'open' | 'done' | 'failed' | 'blocked';

/** What one line about an import says. */
export interface ImportSummary {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly phase: ImportPhase;
  readonly verdict: ImportVerdict;
  readonly percent: string | undefined;
  readonly doneBytes: number | undefined;
  readonly totalBytes: number | undefined;
  readonly bytesPerSecond: number | undefined;
  readonly etaSeconds: number | undefined;
  /** Problem code of what is wrong, or a word of progress. */
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly nextStep: string | undefined;
  /** The VirtualMachine, once its name is decided. */
  readonly machine: string | undefined;
  /** RFC 3339. */
  readonly createdAt: string | undefined;
}

/** @see summarize */
export function summarizeImport(stored: StoredVirtualMachineImport): ImportSummary {
  return summarize(readVirtualMachineImport(stored).object);
}

/** Imports of the old controller have no progress of ours: theirs is told by `status.importStatus`. */
export function summarize(object: VirtualMachineImport): ImportSummary {
  const { metadata, status } = object;
  const { progress = {} } = status;
  const verdict = verdictOf(object);
  const isOver = verdict !== 'open';
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    phase: phaseOf(object),
    verdict,
    percent: progress.percent,
    doneBytes: progress.doneBytes,
    totalBytes: progress.totalBytes,
    bytesPerSecond: isOver ? undefined : progress.bytesPerSecond,
    etaSeconds: isOver ? undefined : progress.etaSeconds,
    reason: progress.reason,
    message: progress.message,
    nextStep: progress.nextStep,
    machine: status.importedVirtualMachineName,
    createdAt: metadata.creationTimestamp,
  };
}

/** An end counts only if it is about what the spec says now: an edit or a retry may change it. */
export function verdictOf({ metadata, spec, status }: VirtualMachineImport): ImportVerdict {
  const { progress, importStatus } = status;
  if (metadata.deletionTimestamp !== undefined) return 'open';
  if (progress === undefined) return endsOfOldController[importStatus ?? ''] ?? 'open';
  // Whatever is asked afterwards: its machine is in use.
  if (progress.finishedAt !== undefined) return 'done';
  const isRetryAsked = spec.retry !== undefined && spec.retry !== progress.retry;
  if (isRetryAsked) return 'open';
  if (progress.phase === 'Finished') return 'done';
  if (!isUpToDate({ metadata, spec, status } as VirtualMachineImport)) return 'open';
  const isForPerson = progress.findings?.some(({ severity, code }) => severity === 'blocker' && isFinal(code));
  if (progress.phase === 'Stalled' && isForPerson) return 'blocked';
  return progress.phase === 'Failed' ? 'failed' : 'open';
}

function isUpToDate({ metadata, status }: VirtualMachineImport): boolean {
  return (status.progress?.observedGeneration ?? -1) >= (metadata.generation ?? 0);
}

/** A code of a newer controller counts as one that a person has to look at. */
function isFinal(code: string): boolean {
  const known: Readonly<Record<string, Problem>> = problems;
  return (known[code]?.retry ?? 'never') === 'never';
}

const endsOfOldController: Readonly<Record<string, ImportVerdict>> = {
  [importStatuses.machineRunning]: 'done',
  [importStatuses.failed]: 'failed',
  [importStatuses.invalid]: 'blocked',
};

const phasesOfOldController: Readonly<Record<string, ImportPhase>> = {
  [importStatuses.valid]: 'Preflight',
  [importStatuses.sourceReady]: 'Transferring',
  [importStatuses.disksExported]: 'Transferring',
  [importStatuses.imagesSubmitted]: 'Transferring',
  [importStatuses.imagesReady]: 'CreatingMachine',
  [importStatuses.machineCreated]: 'StartingMachine',
  [importStatuses.machineRunning]: 'Finished',
  [importStatuses.imagesFailed]: 'Stalled',
  [importStatuses.failed]: 'Failed',
  [importStatuses.invalid]: 'Failed',
};

function phaseOf({ metadata, status }: VirtualMachineImport): ImportPhase {
  if (metadata.deletionTimestamp !== undefined) return 'Deleting';
  return status.progress?.phase ?? phasesOfOldController[status.importStatus ?? ''] ?? 'Pending';
}
