import {
  airliftConditions,
  diskConditions,
  EXPORT_FAILED_PREFIX,
  type ImportStatus,
  importConditions,
  importStatuses,
} from '../../api/literals.ts';
import type { DiskProgress, ImportProgress, ImportStatusFields } from '../../api/virtual-machine-import.ts';
import type { Finding } from '../../domain/finding.ts';
import { isBlocker } from '../../domain/finding.ts';
import type { Action, ObservedDisk, ObservedImport } from '../../domain/next-action.ts';
import { type ProblemCode, problems } from '../../domain/problems.ts';
import { type ConditionClaim, isConditionTrue, mergeConditions, type StoredCondition } from './conditions.ts';
import type { DiskPlan, PlanRecord } from './plan-record.ts';
import type { TransferResult } from './transfer-record.ts';

/** What a worker last told of a disk. */
export interface LiveProgress {
  readonly phase: 'copy' | 'serve' | 'finish' | 'verify' | 'done';
  readonly doneBytes: number;
  readonly totalBytes?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly node?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface StatusFacts {
  readonly generation: number;
  readonly retry?: string | undefined;
  readonly stored: ImportStatusFields;
  readonly seen: ObservedImport;
  readonly action: Action;
  /** Undefined before preflight, or when it did not pass. */
  readonly plan: PlanRecord | undefined;
  readonly findings: readonly Finding[];
  readonly live: ReadonlyMap<number, LiveProgress>;
  /** Of the disks that are done. */
  readonly results: ReadonlyMap<number, TransferResult>;
}

/**
 * The status that what was seen amounts to. Upstream's fields go through upstream's words in upstream's order, one word a write, whatever happened meanwhile: dashboards and scripts
 * wait for each of them (ruling 14). The same facts always give the same status, so nothing is written when nothing changed.
 */
export function deriveStatus(facts: StatusFacts): ImportStatusFields {
  const { stored, seen, plan } = facts;
  const now = new Date(seen.now).toISOString();
  const importStatus = nextImportStatus(facts);
  const progress = deriveProgress(facts, importStatus);
  return {
    ...stored,
    ...(importStatus === undefined ? {} : { importStatus }),
    ...(plan === undefined ? {} : { importedVirtualMachineName: plan.targetName }),
    importConditions: mergeConditions(stored.importConditions ?? [], conditionsOf(facts, importStatus), now),
    ...(plan === undefined ? {} : { diskImportStatus: diskStatuses(facts, importStatus, now) }),
    progress,
  };
}

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

function nextImportStatus({ stored, seen, action, findings }: StatusFacts): ImportStatus | undefined {
  const current = stored.importStatus as ImportStatus | undefined;
  if (seen.isDeleting || seen.history === 'finished') return current;
  if (action.type === 'restart') return undefined;
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

/** True once everything that a watcher may wait for was said. */
export function hasSaidEverything(status: ImportStatusFields): boolean {
  return status.importStatus === importStatuses.machineRunning && status.progress?.phase === 'Finished';
}

function conditionsOf(
  { seen, action, findings }: StatusFacts,
  importStatus: ImportStatus | undefined,
): ConditionClaim[] {
  const claims: ConditionClaim[] = [];
  const say = (type: string, isTrue: boolean, reason?: string, message?: string) =>
    claims.push({ type, status: isTrue ? 'True' : 'False', reason, message });
  const at = ORDER.indexOf(importStatus);
  const { sourcePower } = seen;
  if (sourcePower.state === 'on' && sourcePower.asked === 'shutdown') say(importConditions.shutdownGuest, true);
  if (sourcePower.state === 'on' && sourcePower.asked === 'powerOff') say(importConditions.poweringOff, true);
  if (at >= ORDER.indexOf(importStatuses.sourceReady) && sourcePower.state === 'off') {
    say(importConditions.shutdownGuest, true);
    say(importConditions.poweredOff, true);
  }
  if (at >= ORDER.indexOf(importStatuses.disksExported)) say(importConditions.exported, true);
  const failed = failedTransfer(seen, action);
  if (failed !== undefined)
    say(importConditions.exportFailed, true, failed.code, `${EXPORT_FAILED_PREFIX}${failed.message}`);

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

function diskStatuses(
  { plan, seen, stored }: StatusFacts,
  importStatus: ImportStatus | undefined,
  now: string,
): NonNullable<ImportStatusFields['diskImportStatus']> {
  const at = ORDER.indexOf(importStatus);
  const hardware = new Map(plan?.hardware.disks.map((each) => [each.id, each]));
  return (plan?.disks ?? []).map((disk) => {
    const before = stored.diskImportStatus?.[disk.index];
    const seenDisk = seen.disks.find((each) => each.index === disk.index);
    const claims =
      disk.image === undefined ? volumeClaims(at, seen) : imageClaims(seenDisk, before?.diskConditions ?? []);
    const bus = hardware.get(disk.id)?.bus;
    const diskConditionsNow = mergeConditions(before?.diskConditions ?? [], claims, now);
    return {
      ...(disk.image?.isAdopted ? before : {}),
      ...namesOfDisk(disk, before, claims),
      diskSize: disk.virtualSizeBytes,
      ...(bus === undefined ? {} : { busType: bus }),
      ...(diskConditionsNow.length === 0 ? {} : { diskConditions: diskConditionsNow }),
    };
  });
}

type DiskStatus = NonNullable<ImportStatusFields['diskImportStatus']>[number];

/** Upstream's `VirtualMachineImage` is there once the image is, where there is one. */
function namesOfDisk(
  { claimName, image }: DiskPlan,
  before: DiskStatus | undefined,
  claims: readonly ConditionClaim[],
): Partial<DiskStatus> {
  if (image === undefined || image.backend === 'upload') return { diskName: claimName };
  if (image.isAdopted) return {};
  const isThere = claims.some(({ type, status }) => type === diskConditions.imageSubmitted && status === 'True');
  const name = isThere ? image.name : before?.VirtualMachineImage;
  return { diskName: image.fileName, ...(name === undefined ? {} : { VirtualMachineImage: name }) };
}

/** A volume that is written directly says in upstream's words, and at upstream's moments, that it is there. */
function volumeClaims(at: number, seen: ObservedImport): ConditionClaim[] {
  const claims: ConditionClaim[] = [];
  if (at >= ORDER.indexOf(importStatuses.imagesSubmitted))
    claims.push({ type: diskConditions.imageSubmitted, status: 'True' });
  if (at >= ORDER.indexOf(importStatuses.imagesReady) && seen.disks.every(({ isDone }) => isDone))
    claims.push({ type: diskConditions.imageReady, status: 'True' });
  return claims;
}

/** What was said of an image that is given up is taken back (W2). */
function imageClaims(disk: ObservedDisk | undefined, before: readonly StoredCondition[]): ConditionClaim[] {
  const { image, isDone = false } = disk ?? {};
  if (image === undefined) return [];
  const isImported = isDone || image.state === 'imported';
  const isFailed = !isDone && image.state === 'failed';
  const why = isFailed ? { reason: image.code, message: image.message } : {};
  const facts = [
    { type: diskConditions.imageSubmitted, isTrue: isImported || image.state === 'importing' },
    { type: diskConditions.imageReady, isTrue: isImported },
    { type: diskConditions.imageFailed, isTrue: isFailed, ...why },
  ];
  const isWorthSaying = ({ type, isTrue }: (typeof facts)[number]) => isTrue || isConditionTrue(before, type);
  return facts
    .filter(isWorthSaying)
    .map(({ isTrue, ...claim }) => ({ ...claim, status: isTrue ? ('True' as const) : ('False' as const) }));
}

function deriveProgress(facts: StatusFacts, importStatus: ImportStatus | undefined): ImportProgress {
  const { generation, retry, stored, seen, action, plan, findings, live, results } = facts;
  const before = stored.progress ?? {};
  const now = new Date(seen.now).toISOString();
  const { phase, reason, message, code } = describe(facts, importStatus);
  const disks = plan?.disks.map((disk) =>
    diskProgress(disk, seen, before, { live: live.get(disk.index), result: results.get(disk.index) }),
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

interface Description {
  readonly phase: NonNullable<ImportProgress['phase']>;
  readonly reason: string;
  readonly message?: string | undefined;
  /** Whose remedy is the next step. */
  readonly code?: ProblemCode | undefined;
}

function describe({ seen, action, findings }: StatusFacts, importStatus: ImportStatus | undefined): Description {
  switch (action.type) {
    case 'none':
      if (action.reason === 'Suspended')
        return { phase: 'Suspended', reason: 'Suspended', message: 'spec.suspend is set' };
      return { phase: action.reason === 'Deleted' ? 'Deleting' : 'Finished', reason: action.reason };
    case 'stall': {
      const { code, message } = action;
      const isFinal = problems[code].retry === 'never' && !findings.some(isBlocker);
      return { phase: isFinal ? 'Failed' : 'Stalled', reason: code, message, code };
    }
    case 'wait':
      return { phase: waitingPhases[action.reason], reason: action.reason, message: action.message };
    case 'cleanUp':
    case 'removeFinalizer':
      return { phase: 'Deleting', reason: 'CleaningUp' };
    case 'addFinalizer':
    case 'restart':
      return { phase: 'Pending', reason: 'Beginning' };
    case 'runPreflight':
      return { phase: 'Preflight', reason: 'Looking' };
    case 'createVolume':
      return { phase: 'Provisioning', reason: 'CreatingVolumes' };
    case 'shutDownSource':
    case 'powerOffSource':
      return { phase: 'PoweringOff', reason: 'SourcePoweringOff' };
    case 'startTransfer':
      return { phase: 'Transferring', reason: 'TransferStarting' };
    case 'createImage':
      return { phase: 'Transferring', reason: 'CreatingImages' };
    case 'giveUpImage':
      return { phase: 'Transferring', reason: action.code, message: action.message, code: action.code };
    case 'stopTransfers':
      return { phase: 'Suspended', reason: 'TransferStopping' };
    case 'createMachine':
      return { phase: 'CreatingMachine', reason: 'CreatingMachine' };
    case 'finish':
      // Not before upstream's last word, or a watcher would miss it.
      if (importStatus !== importStatuses.machineRunning) return { phase: 'StartingMachine', reason: 'MachineReady' };
      return { phase: 'Finished', reason: 'Complete', message: finishedMessage(seen) };
  }
}

const waitingPhases = {
  CleaningUp: 'Deleting',
  SourcePoweringOff: 'PoweringOff',
  TransferStopping: 'Suspended',
  TransferQueued: 'Transferring',
  TransferRunning: 'Transferring',
  TransferRetrying: 'Transferring',
  DisksTransferred: 'CreatingMachine',
  MachineStarting: 'StartingMachine',
} as const;

function finishedMessage({ machine }: ObservedImport): string {
  return machine.state === 'created' && !machine.mayRun
    ? 'the machine is complete and off, as spec.run asks'
    : 'the machine is complete and runs';
}

function diskProgress(
  plan: DiskPlan,
  { disks }: ObservedImport,
  before: ImportProgress,
  { live, result }: { readonly live: LiveProgress | undefined; readonly result: TransferResult | undefined },
): DiskProgress {
  const { index, id, name, claimName, virtualSizeBytes, dataBytes } = plan;
  const seen = disks.find((each) => each.index === index);
  const told = before.disks?.find((each) => each.index === index);
  const doneBytes = result?.dataBytes ?? live?.doneBytes ?? told?.doneBytes;
  const totalBytes = result?.dataBytes ?? live?.totalBytes ?? dataBytes ?? told?.totalBytes;
  const problem = seen?.isDone ? undefined : seen?.transfer?.problem;
  const digestRoot = result?.digest?.root ?? told?.digestRoot;
  const node = live?.node ?? told?.node;
  return {
    index,
    id,
    name,
    claimName,
    virtualSizeBytes,
    ...(dataBytes === undefined ? {} : { dataBytes }),
    ...(doneBytes === undefined ? {} : { doneBytes }),
    ...(totalBytes === undefined ? {} : { totalBytes }),
    phase: diskPhase(seen, live),
    ...(seen === undefined || seen.epoch === 0 ? {} : { epoch: seen.epoch }),
    ...(seen?.transfer === undefined || seen.transfer.failures === 0 ? {} : { attempt: seen.transfer.failures }),
    ...(node === undefined ? {} : { node }),
    ...(problem === undefined ? {} : { reason: problem.code, message: problem.message }),
    ...(live === undefined
      ? told?.lastProgressTime === undefined
        ? {}
        : { lastProgressTime: told.lastProgressTime }
      : { lastProgressTime: new Date(live.at).toISOString() }),
    ...(digestRoot === undefined ? {} : { digestRoot }),
  };
}

function diskPhase(seen: ObservedDisk | undefined, live: LiveProgress | undefined): NonNullable<DiskProgress['phase']> {
  if (seen === undefined) return 'Pending';
  if (seen.isDone) return 'Done';
  const { transfer } = seen;
  if (transfer === undefined) return seen.queuedFor === undefined ? 'Pending' : 'Queued';
  switch (transfer.state) {
    case 'pending':
      return 'Starting';
    case 'stopping':
      return 'Stopping';
    case 'failed':
      return transfer.problem !== undefined && problems[transfer.problem.code].retry === 'never'
        ? 'Failed'
        : 'Retrying';
    default:
      return live?.phase === 'verify' ? 'Verifying' : 'Transferring';
  }
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
