import type { Finding } from './finding.ts';
import { isBlocker } from './finding.ts';
import { type ImageStep, imageStep, isToBeAskedAbout, type ObservedImage } from './image-step.ts';
import { type ProblemCode, problems } from './problems.ts';
import { isSourceProblem } from './source-problems.ts';

/**
 * A VirtualMachineImport on its way, and the one step to take next.
 *
 *     preflight -> volumes -> source off -> transfers (one a disk) -> machine -> its start -> finished
 *     preflight -> source off -> transfers that serve -> images -> volumes -> transfers that prove -> machine ...
 *
 * Everything is read from the world each time; nothing here remembers. A step done twice is done once, because all names follow from the import.
 */
export interface ObservedImport {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly isDeleting: boolean;
  readonly hasFinalizer: boolean;
  readonly isSuspended: boolean;
  /** `spec.retry` holds a value that was not acted on yet. */
  readonly isRetryAsked: boolean;
  readonly history: ImportHistory;
  /** Undefined until preflight ran for this spec and retry. */
  readonly preflight: ObservedPreflight | undefined;
  /** Whether the source's machine is off, or does not matter because the source is a file. */
  readonly sourcePower: SourcePower;
  /** When the source was last found to be ready after it was not, or was another one. */
  readonly sourceReadyAt?: number | undefined;
  /** As planned, in the order of the machine's disks; empty before preflight. */
  readonly disks: readonly ObservedDisk[];
  /** The status says that the disks are there. Who waits for that word has to hear it before there is a machine. */
  readonly hasToldDisks: boolean;
  readonly machine: ObservedMachine;
  /** What the import made and a deletion has to remove; asked only of an import that is being deleted. */
  readonly leftovers: readonly Leftover[];
}

/**
 * What the status says of earlier work (ruling 15). `ours`: this controller began it, or nobody did. `finished`: done, by whichever controller; its machine is in use and never touched again,
 * whatever is asked. `givenUp`: upstream's controller ended it without a machine; begun anew when somebody asks for it, not before. `restart`: upstream's controller was before the end of
 * its disks. `imagesReady`: upstream's images are there, and the machine is made of them. `machineCreated`: upstream's machine is there.
 */
export type ImportHistory = 'ours' | 'finished' | 'givenUp' | 'restart' | 'imagesReady' | 'machineCreated';

export interface ObservedPreflight {
  readonly findings: readonly Finding[];
  readonly ranAt: number;
}

export type SourcePower =
  | { readonly state: 'off' }
  | { readonly state: 'on'; readonly asked: 'nothing' | 'shutdown' | 'powerOff'; readonly askedAt?: number };

export interface ObservedDisk {
  readonly index: number;
  readonly volume: ObservedVolume;
  /** The highest epoch that was ever begun; 0 before the first. */
  readonly epoch: number;
  /** The transfer of that epoch, as far as it is still there. */
  readonly transfer: ObservedTransfer | undefined;
  /** Copied, verified, and recorded as such. */
  readonly isDone: boolean;
  /** Where it becomes an image first; its volume counts only once that is imported. */
  readonly image?: ObservedImage | undefined;
  /** Why it may not start now though nothing else is in the way, such as `3 transfers read from web01 already`. */
  readonly queuedFor?: string | undefined;
}

export type ObservedVolume =
  /** `going`: it is being deleted, and another one of its name can only follow then. */
  | { readonly state: 'absent' | 'bound' | 'going' }
  /** `isWaitingForConsumer`: it will bind once a Pod wants it. */
  | {
      readonly state: 'pending';
      readonly isWaitingForConsumer: boolean;
      readonly since: number;
      readonly message?: string;
    }
  /** `foreign`: something of this name is there that this import did not make. */
  | { readonly state: 'foreign'; readonly code: ProblemCode; readonly message: string }
  | { readonly state: 'lost'; readonly message: string };

export interface ObservedTransfer {
  readonly epoch: number;
  readonly state: 'pending' | 'running' | 'succeeded' | 'failed' | 'stopping';
  readonly startedAt: number;
  /** When bytes were last seen to move, or its state to change. */
  readonly progressAt: number;
  /** What it failed with, or what it waits for as far as the cluster tells. */
  readonly problem?: { readonly code: ProblemCode; readonly message: string } | undefined;
  /** Failures in a row without a byte of progress between them. */
  readonly failures: number;
  readonly endedAt?: number | undefined;
}

/** `kept`: it was finished once and is the user's now, whatever became of it. */
export type ObservedMachine =
  | { readonly state: 'absent' | 'kept' }
  | { readonly state: 'foreign'; readonly code: ProblemCode; readonly message: string }
  | {
      readonly state: 'created';
      readonly createdAt: number;
      readonly mayRun: boolean;
      readonly isReady: boolean;
      readonly message?: string;
    };

export interface Leftover {
  readonly kind: string;
  readonly name: string;
  /** Its deletion was asked for and takes its time. */
  readonly isGoing: boolean;
}

export type Action =
  | { readonly type: 'none'; readonly reason: 'Complete' | 'Deleted' | 'Suspended' }
  | {
      readonly type: 'wait';
      readonly reason: WaitReason;
      readonly message: string;
      /** Of what went wrong before, where something did. */
      readonly code?: ProblemCode | undefined;
      /** When to look again without being told; absent where an event will come. */
      readonly afterMs?: number;
    }
  | { readonly type: 'stall'; readonly code: ProblemCode; readonly message: string; readonly afterMs?: number }
  | {
      readonly type:
        | 'addFinalizer'
        | 'cleanUp'
        | 'removeFinalizer'
        | 'stopTransfers'
        | 'restart'
        | 'runPreflight'
        | 'shutDownSource'
        | 'powerOffSource'
        | 'createMachine'
        | 'finish';
    }
  | ImageStep
  | { readonly type: 'createVolume'; readonly disk: number }
  | { readonly type: 'startTransfer'; readonly disk: number; readonly epoch: number };

export type WaitReason =
  | 'CleaningUp'
  | 'SourcePoweringOff'
  | 'TransferStopping'
  | 'TransferQueued'
  | 'TransferRunning'
  | 'TransferRetrying'
  | 'DisksTransferred'
  | 'MachineStarting';

export interface Limits {
  /** How long the guest may take to shut down before it is powered off. */
  readonly shutdownMs: number;
  readonly isForcedOff: boolean;
}

/** A volume, a Pod or a machine that makes no progress for this long is named as stalled, with its cause (W10, W34). */
export const STALL_MS = { volume: 45_000, transferStart: 45_000, transfer: 120_000, machine: 600_000 } as const;
/** What is stalled may have another cause by then. */
const STALL_AGAIN_MS = 60_000;
const LEAST_PAUSE_MS = 1_000;
/** Why a Pod does not start is said in events, which nobody watches. */
const PENDING_POLL_MS = 10_000;
/** Findings that may pass by themselves are looked at again after this. */
const PREFLIGHT_AGAIN_MS = 60_000;
const SOURCE_POLL_MS = 5_000;
const VOLUME_POLL_MS = 5_000;
const IMAGE_POLL_MS = 5_000;
/** It is told when there is a place; this only makes sure. */
const QUEUED_MS = 60_000;

/** One step towards the spec. Order is meaning: the first rule that applies wins. */
export function nextAction(seen: ObservedImport, limits: Limits): Action {
  if (seen.isDeleting) return afterDeletion(seen);
  if (seen.history === 'finished') return { type: 'none', reason: 'Complete' };
  if (seen.history === 'givenUp' && !seen.isRetryAsked) return { type: 'none', reason: 'Complete' };
  if (!seen.hasFinalizer) return { type: 'addFinalizer' };
  if (seen.isRetryAsked || seen.history === 'restart') return stopping(seen) ?? { type: 'restart' };
  if (seen.isSuspended) return stopping(seen) ?? { type: 'none', reason: 'Suspended' };
  if (seen.machine.state !== 'absent') return afterMachine(seen);
  const blocked = afterPreflight(seen);
  if (blocked !== undefined) return blocked;
  const action = seen.disks.some(({ image }) => image !== undefined)
    ? (power(seen, limits) ?? images(seen))
    : (volumes(seen) ?? power(seen, limits) ?? transfers(seen));
  if (action !== undefined) return action;
  return seen.hasToldDisks ? { type: 'createMachine' } : wait('DisksTransferred', 'all disks are there', 0);
}

function afterDeletion({ hasFinalizer, leftovers }: ObservedImport): Action {
  if (!hasFinalizer) return { type: 'none', reason: 'Deleted' };
  if (leftovers.length === 0) return { type: 'removeFinalizer' };
  if (leftovers.some((each) => !each.isGoing)) return { type: 'cleanUp' };
  const names = leftovers.map(({ kind, name }) => `${kind} ${name}`);
  return wait('CleaningUp', `waiting for ${listSome(names)} to go`);
}

/** Nothing is begun anew, or called suspended, while a worker may still write. */
function stopping({ disks }: ObservedImport): Action | undefined {
  const live = disks.filter(({ transfer }) => transfer !== undefined && isLive(transfer));
  if (live.some(({ transfer }) => transfer?.state !== 'stopping')) return { type: 'stopTransfers' };
  return live.length > 0 ? wait('TransferStopping', 'waiting for the running transfers to stop') : undefined;
}

function afterMachine({ machine, now }: ObservedImport): Action {
  if (machine.state === 'foreign') return stallFor(machine.code, machine.message);
  if (machine.state !== 'created' || !machine.mayRun || machine.isReady) return { type: 'finish' };
  const since = now - machine.createdAt;
  const message = machine.message ?? 'waiting until the VirtualMachine is ready; it says nothing yet';
  if (since >= STALL_MS.machine) return { type: 'stall', code: 'MachineNotReady', message };
  return wait('MachineStarting', message, STALL_MS.machine - since);
}

function afterPreflight({ preflight, now }: ObservedImport): Action | undefined {
  if (preflight === undefined) return { type: 'runPreflight' };
  const blockers = preflight.findings.filter(isBlocker);
  const first = blockers.find(({ code }) => problems[code].retry === 'never') ?? blockers[0];
  if (first === undefined) return undefined;
  const message = blockers.length === 1 ? first.message : `${first.message} (and ${blockers.length - 1} more)`;
  const mayPass = blockers.filter(({ code }) => problems[code].retry !== 'never');
  if (mayPass.length < blockers.length) return { type: 'stall', code: first.code, message };
  // A login that failed or a class that is not there yet is no verdict for ever (W11).
  const waits = mayPass.map(({ code }) => pauseOf(code));
  const afterMs = preflight.ranAt + Math.min(...waits) - now;
  return afterMs <= 0 ? { type: 'runPreflight' } : { type: 'stall', code: first.code, message, afterMs };
}

function pauseOf(code: ProblemCode): number {
  const { retry } = problems[code];
  return typeof retry === 'object' ? retry.afterMs : PREFLIGHT_AGAIN_MS;
}

function volumes({ disks, now }: ObservedImport): Action | undefined {
  for (const { index, volume } of disks) {
    if (volume.state === 'absent') return { type: 'createVolume', disk: index };
    if (volume.state === 'foreign') return stallFor(volume.code, volume.message);
    if (volume.state === 'lost') return stallFor('VolumeLost', volume.message);
  }
  const going = disks.filter(({ volume }) => volume.state === 'going');
  if (going.length > 0) return wait('CleaningUp', `waiting for ${going.length} old volumes to go`, VOLUME_POLL_MS);
  for (const { volume } of disks) {
    if (volume.state !== 'pending' || volume.isWaitingForConsumer) continue;
    const since = now - volume.since;
    const message = volume.message ?? 'no provisioner has said anything about it';
    if (since >= STALL_MS.volume) return stallFor('VolumeNotBound', message);
  }
  return undefined;
}

/** Somebody else imports them, at whose object one has to look again and again. */
function images(seen: ObservedImport): Action | undefined {
  const imported = seen.disks.filter(({ image, isDone }) => isDone || image?.state === 'imported');
  const action = imageStep(seen.disks) ?? volumes({ ...seen, disks: imported }) ?? transfers(seen);
  if (action?.type !== 'wait' || !seen.disks.some(isToBeAskedAbout)) return action;
  return { ...action, afterMs: Math.min(action.afterMs ?? IMAGE_POLL_MS, IMAGE_POLL_MS) };
}

function power({ sourcePower, now }: ObservedImport, { shutdownMs, isForcedOff }: Limits): Action | undefined {
  if (sourcePower.state === 'off') return undefined;
  const { asked, askedAt = now } = sourcePower;
  if (asked === 'nothing') return { type: isForcedOff ? 'powerOffSource' : 'shutDownSource' };
  // The spec is looked at each time: switching to a forced power-off while waiting takes effect at once.
  const isOver = now - askedAt > shutdownMs;
  if (asked === 'shutdown' && (isForcedOff || isOver)) return { type: 'powerOffSource' };
  return wait('SourcePoweringOff', 'waiting for the machine to power off', SOURCE_POLL_MS);
}

function transfers({ disks, now, sourceReadyAt }: ObservedImport): Action | undefined {
  const open = disks.filter(({ isDone }) => !isDone);
  for (const { index, epoch, transfer, queuedFor, image } of open) {
    if (queuedFor !== undefined || image?.isAdopted) continue;
    if (transfer === undefined) return { type: 'startTransfer', disk: index, epoch: epoch + 1 };
    if (transfer.state === 'failed' && (retryIn(transfer, now) <= 0 || isCured(transfer, sourceReadyAt)))
      return { type: 'startTransfer', disk: index, epoch: epoch + 1 };
  }
  for (const { transfer } of open) {
    const stalled = transfer && stalledTransfer(transfer, now);
    if (stalled !== undefined) return stalled;
  }
  const failures = open.flatMap(({ transfer }) => (transfer?.state === 'failed' ? [transfer] : []));
  const [failed] = failures;
  if (failed !== undefined && open.every(({ transfer }) => transfer?.state === 'failed')) {
    const afterMs = Math.min(...failures.map((each) => retryIn(each, now)));
    return retrying(failed, afterMs);
  }
  const queued = open.find(({ queuedFor, transfer }) => queuedFor !== undefined && transfer === undefined);
  if (queued !== undefined && open.every(({ transfer }) => transfer === undefined))
    return wait('TransferQueued', queued.queuedFor ?? '', QUEUED_MS);
  if (open.length === 0) return undefined;
  const afterMs = Math.max(LEAST_PAUSE_MS, Math.min(...open.map((each) => dueIn(each, now))));
  return wait('TransferRunning', `${open.length} of ${disks.length} disks to go`, afterMs);
}

/** When a disk has to be looked at though nothing is heard of it: it may be stalled then, or is to be tried again. */
function dueIn({ transfer, volume }: ObservedDisk, now: number): number {
  const stallsIn = transfer === undefined ? STALL_MS.transfer : transfer.progressAt + stallsAfter(transfer) - now;
  const stallDue = transfer?.state === 'pending' ? Math.min(stallsIn, PENDING_POLL_MS) : stallsIn;
  const transferDue = transfer?.state === 'failed' ? retryIn(transfer, now) : stallDue;
  const isUnbound = volume.state === 'pending' && !volume.isWaitingForConsumer;
  return isUnbound ? Math.min(transferDue, volume.since + STALL_MS.volume - now) : transferDue;
}

function stallsAfter({ state, problem }: ObservedTransfer): number {
  // The cluster has waited for the node itself before it said so.
  if (problem?.code === 'TransferNodeLost') return 0;
  return state === 'running' ? STALL_MS.transfer : STALL_MS.transferStart;
}

/** Undefined while it moves, or is retried by itself. */
function stalledTransfer(transfer: ObservedTransfer, now: number): Action | undefined {
  const { state, problem, progressAt, epoch } = transfer;
  if (state === 'failed') {
    if (problem !== undefined && problems[problem.code].retry === 'never')
      return { type: 'stall', code: problem.code, message: problem.message };
    // It is tried again by itself, but in vain until somebody sees to the source.
    if (problem !== undefined && isSourceProblem(problem.code))
      return { type: 'stall', code: problem.code, message: problem.message, afterMs: retryIn(transfer, now) };
    return undefined;
  }
  const since = now - progressAt;
  if (state === 'succeeded' || since < stallsAfter(transfer)) return undefined;
  const code = problem?.code ?? (state === 'running' ? 'TransferStalled' : 'TransferNotStarted');
  const message = problem?.message ?? `epoch ${epoch} has shown no progress for ${Math.round(since / 1000)} s`;
  return { type: 'stall', code, message, afterMs: STALL_AGAIN_MS };
}

const FIRST_RETRY_MS = 2_000;
const MOST_RETRY_MS = 300_000;

/** Infinite for what a person must change. */
function retryIn({ problem, failures, endedAt }: ObservedTransfer, now: number): number {
  const retry = problem === undefined ? 'backoff' : problems[problem.code].retry;
  if (retry === 'never') return Number.POSITIVE_INFINITY;
  const pause =
    typeof retry === 'object'
      ? retry.afterMs
      : Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, failures - 1));
  return (endedAt ?? now) + pause - now;
}

/** A password that was changed midway costs the bytes since the last checkpoint, not the import (W11). */
function isCured({ problem, endedAt }: ObservedTransfer, sourceReadyAt: number | undefined): boolean {
  if (problem === undefined || endedAt === undefined || sourceReadyAt === undefined) return false;
  return isSourceProblem(problem.code) && sourceReadyAt > endedAt;
}

function isLive({ state }: ObservedTransfer): boolean {
  return state !== 'failed' && state !== 'succeeded';
}

/** By what is not ours and changes without our being told. */
function stallFor(code: ProblemCode, message: string): Action {
  return { type: 'stall', code, message, afterMs: pauseOf(code) };
}

/** Not a stall yet, but whoever looks learns what it is and what may cure it. */
function retrying({ problem }: ObservedTransfer, afterMs: number): Action {
  if (problem === undefined) return wait('TransferRetrying', 'the transfer failed', afterMs);
  const { code, message } = problem;
  return { type: 'wait', reason: 'TransferRetrying', code, message: `${code}: ${message}`, afterMs };
}

function wait(reason: WaitReason, message: string, afterMs?: number): Action {
  return { type: 'wait', reason, message, ...(afterMs === undefined ? {} : { afterMs }) };
}

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
