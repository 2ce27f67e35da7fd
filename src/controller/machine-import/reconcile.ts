import type { ImportPhase } from '../../api/import-progress.ts';
import {
  type ImportStatusFields,
  readVirtualMachineImport,
  type StoredVirtualMachineImport,
  type VirtualMachineImport,
  virtualMachineImportKind,
} from '../../api/virtual-machine-import.ts';
import { type ObjectRef, refOf } from '../../domain/kubernetes-object.ts';
import { type Action, type Limits, nextAction } from '../../domain/next-action.ts';
import { isProblem, problems } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Requeue } from '../../lib/work-queue.ts';
import type { JsonObject } from '../../ports/cluster.ts';
import { statusPatch } from '../status-patch.ts';
import type { ImportParts } from './import-world.ts';
import { namesOf } from './names.ts';
import { type Observation, observeImport } from './observe/observe.ts';
import { performAction } from './perform/perform.ts';
import { deriveStatus, hasSaidEverything } from './status/derive-status.ts';
import type { LiveProgress } from './status/status-facts.ts';

/** Upstream's default; also for 0 and less. */
const SHUTDOWN_SECONDS = 60;
const SOON: Requeue = { afterMs: 0 };

/** Observe, decide, act, report: one step of one import. Returns when to look again. */
export async function reconcileImport(parts: ImportParts, ref: ObjectRef, options: CallOptions = {}): Promise<Requeue> {
  const stored = await parts.cluster.get(virtualMachineImportKind, ref, options);
  if (stored === undefined) return undefined;
  const { object: machineImport, findings: fieldFindings } = readVirtualMachineImport(stored);
  const observation = await observeImport(parts, machineImport, options);
  const action = nextAction(observation.seen, limitsOf(machineImport));
  await performAction(parts, machineImport, observation, action, fieldFindings, options);
  if (action.type === 'none' && action.reason !== 'Suspended') {
    if (action.reason === 'Complete' && observation.seen.isRetryAsked) refuseRetry(parts, stored);
    return undefined;
  }
  // What follows at once is told by what follows: writes are few (ruling 18).
  if (!isWorthTelling(action)) return SOON;
  if (action.type === 'wait' && action.reason === 'TransferQueued')
    parts.slots.wait(`${ref.namespace ?? ''}/${ref.name}`, stored.metadata.creationTimestamp ?? '');
  return await report({ parts, stored, machineImport, observation, action }, options);
}

/** Its status stays what it was: it is what scripts wait for. */
function refuseRetry({ events }: ImportParts, stored: StoredVirtualMachineImport): void {
  const { summary, remedy } = problems.ImportFinished;
  events.record(stored, { type: 'Warning', reason: 'ImportFinished', message: `${summary} ${remedy}` });
}

const WORTH_TELLING: ReadonlySet<Action['type']> = new Set([
  'none',
  'wait',
  'stall',
  'finish',
  'restart',
  'giveUpImage',
]);

function isWorthTelling({ type }: Action): boolean {
  return WORTH_TELLING.has(type);
}

interface Step {
  readonly parts: ImportParts;
  readonly stored: StoredVirtualMachineImport;
  readonly machineImport: VirtualMachineImport;
  readonly observation: Observation;
  readonly action: Action;
}

async function report(
  { parts, stored, machineImport, observation, action }: Step,
  options: CallOptions,
): Promise<Requeue> {
  const { metadata, spec, status } = machineImport;
  const uid = metadata.uid ?? '';
  const said = parts.preflights.get(uid);
  const live = liveOf(parts, machineImport, observation);
  const derived = deriveStatus({
    generation: metadata.generation ?? 0,
    retry:
      action.type === 'restart'
        ? spec.retry
        : (status.progress?.retry ?? (status.progress === undefined ? spec.retry : undefined)),
    stored: status,
    seen: observation.seen,
    action,
    plan: observation.plan,
    findings: observation.preflight?.findings ?? said?.findings ?? [],
    live,
    results: observation.results,
  });
  const patch = statusPatch(stored.status ?? {}, derived);
  if (patch !== undefined) {
    const { resourceVersion } = metadata;
    const guarded: JsonObject = {
      ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }),
      status: patch,
    };
    await parts.cluster.patch(virtualMachineImportKind, refOf(machineImport), guarded, {
      ...options,
      subresource: 'status',
    });
    tellUser(parts, stored, { before: status.progress, after: derived.progress, action });
  }
  return requeueAfter(action, patch !== undefined, hasSaidEverything(derived));
}

/** The version that was decided on: whoever changed the object meanwhile is listened to first. */
function requeueAfter(action: Action, hasChanged: boolean, isOver: boolean): Requeue {
  if (action.type === 'wait' || action.type === 'stall') {
    // Words that upstream's watchers wait for are said one after the other.
    return action.afterMs === undefined ? (hasChanged ? SOON : undefined) : { afterMs: Math.max(0, action.afterMs) };
  }
  if (action.type === 'none') return undefined;
  return action.type === 'finish' && isOver ? undefined : SOON;
}

function tellUser(
  { events }: ImportParts,
  stored: StoredVirtualMachineImport,
  { before, after, action }: { readonly before: Progress; readonly after: Progress; readonly action: Action },
): void {
  if (action.type === 'stall' && before?.reason !== action.code) {
    const { remedy } = problems[action.code];
    events.record(stored, { type: 'Warning', reason: action.code, message: `${action.message}. ${remedy}` });
  }
  if (action.type === 'giveUpImage') {
    const { remedy } = problems[action.code];
    events.record(stored, { type: 'Warning', reason: action.code, message: `${action.message}. ${remedy}` });
  }
  if (after?.phase === before?.phase) return;
  const message = after === undefined ? undefined : milestones[after.phase ?? 'Pending'];
  if (message !== undefined) events.record(stored, { type: 'Normal', reason: after?.phase ?? '', message });
}

type Progress = ImportStatusFields['progress'];

/** What is worth an event: each costs a write. */
const milestones: { readonly [P in ImportPhase]?: string } = {
  Transferring: 'nothing is in the way; the disks are being copied',
  Finished: 'all disks are copied and proven, and the machine is there',
};

function liveOf(
  { live }: ImportParts,
  { metadata }: VirtualMachineImport,
  { plan }: Observation,
): ReadonlyMap<number, LiveProgress> {
  const names = namesOf(metadata.uid ?? '');
  const entries = plan?.disks.flatMap(({ index }) => {
    const progress = live.get(names.transfer(index));
    return progress === undefined ? [] : [[index, progress] as const];
  });
  return new Map(entries);
}

function limitsOf({ spec }: VirtualMachineImport): Limits {
  const seconds = spec.gracefulShutdownTimeoutSeconds ?? 0;
  return {
    shutdownMs: (seconds > 0 ? seconds : SHUTDOWN_SECONDS) * 1000,
    isForcedOff: spec.forcePowerOff === true,
  };
}

/** Whether an error means that the object was changed under us: no failure, look again. */
export function isOvertaken(error: unknown): boolean {
  return isProblem(error, 'ClusterConflict', 'ClusterObjectMissing');
}
