import { airliftConditions } from '../api/literals.ts';
import {
  readVirtualMachineImport,
  type StoredVirtualMachineImport,
  virtualMachineImportKind,
} from '../api/virtual-machine-import.ts';
import { type ObjectRef, refOf } from '../domain/kubernetes-object.ts';
import { isProblem, type ProblemCode, type ProblemError, problems } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { JsonObject } from '../ports/cluster.ts';
import { mergeConditions } from './conditions.ts';
import { historyOf, isOver } from './machine-import/history.ts';
import type { ImportParts } from './machine-import/import-world.ts';
import { isOvertaken } from './machine-import/reconcile.ts';
import { statusPatch } from './status-patch.ts';

/** What the cluster answers until a person changes something there. The rest passes by itself, and would only make noise in the status of every import. */
const FOR_PEOPLE: readonly ProblemCode[] = [
  'ClusterForbidden',
  'ClusterKindMissing',
  'ClusterObjectInvalid',
  'ClusterQuotaExceeded',
  'ClusterWriteRefused',
];

export function isForPeople(error: unknown): error is ProblemError {
  return isProblem(error, ...FOR_PEOPLE);
}

/**
 * Says in status and event what keeps the controller from taking a step of an import: without this, only its log knew that a right is missing. It is tried again by itself; the next step that
 * succeeds derives the status anew. Where not even the status may be written, the event is left, and the log.
 * @throws ProblemError when it could not be told, but for what changed meanwhile
 */
export async function tellFailure(
  { cluster, events, clock }: Pick<ImportParts, 'cluster' | 'events' | 'clock'>,
  ref: ObjectRef,
  problem: ProblemError,
  options: CallOptions = {},
): Promise<void> {
  const stored = await cluster.get(virtualMachineImportKind, ref, options);
  const isDeleting = stored?.metadata.deletionTimestamp !== undefined;
  if (stored === undefined) return;
  const { metadata, spec, status } = readVirtualMachineImport(stored).object;
  const history = historyOf(stored);
  const isBegunAnew = history === 'givenUp' && spec.retry !== undefined;
  if (isOver(history) && !isDeleting && !isBegunAnew) return;
  const { code, message } = problem;
  const { remedy } = problems[code];
  const claim = { type: airliftConditions.stalled, status: 'True', reason: code, message } as const;
  const progress = {
    ...(status.progress ?? (spec.retry === undefined ? {} : { retry: spec.retry })),
    phase: isDeleting ? 'Deleting' : 'Stalled',
    reason: code,
    message,
    nextStep: remedy,
    observedGeneration: metadata.generation ?? 0,
  };
  const after = {
    ...stored.status,
    importConditions: mergeConditions(status.importConditions ?? [], [claim], new Date(clock.now()).toISOString()),
    // An import is known to be the old controller's by having none (ruling 15).
    ...(history === 'ours' ? { progress } : {}),
  };
  const patch = statusPatch(stored.status ?? {}, after);
  if (patch === undefined) return;
  const isKnown = status.importConditions?.some((each) => each.type === claim.type && each.reason === code) ?? false;
  if (!isKnown) events.record(stored, { type: 'Warning', reason: code, message: `${message}. ${remedy}` });
  try {
    await cluster.patch(virtualMachineImportKind, refOf(stored), guarded(stored, patch), {
      ...options,
      subresource: 'status',
    });
  } catch (error) {
    if (!isOvertaken(error)) throw error;
  }
}

function guarded({ metadata }: StoredVirtualMachineImport, status: JsonObject): JsonObject {
  const { resourceVersion } = metadata;
  return { ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }), status };
}
