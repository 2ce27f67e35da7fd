import { IMPORT_FINALIZER, importStatuses } from '../../../api/literals.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { ObservedImport } from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import { historyOf, isOver } from '../history.ts';
import type { ImportParts, PreflightMemory } from '../import-world.ts';
import { hashSpec, type PlanRecord } from '../plan-record.ts';
import type { TransferResult } from '../transfers/transfer-record.ts';
import { findLeftovers } from './find-leftovers.ts';
import { observeDisks } from './observe-disks.ts';
import { observeMachine } from './observe-machine.ts';
import { observePlan } from './observe-plan.ts';

export interface Observation {
  readonly seen: ObservedImport;
  /** Undefined before preflight, or when it did not pass. */
  readonly preflight: PreflightMemory | undefined;
  /** The one in force; stays when an edit of the spec is refused. */
  readonly plan: PlanRecord | undefined;
  /** Of the disks that are done, by their number. */
  readonly results: ReadonlyMap<number, TransferResult>;
}

/**
 * Gathers everything one decision may look at. What watches have not brought is asked for before it counts as absent: they may lag behind our own writes, and nothing must be made
 * twice.
 */
export async function observeImport(
  parts: ImportParts,
  machineImport: VirtualMachineImport,
  options: CallOptions = {},
): Promise<Observation> {
  const { metadata, spec, status } = machineImport;
  const isDeleting = metadata.deletionTimestamp !== undefined;
  const history = historyOf(machineImport);
  const plan = await observePlan(parts, machineImport, options);
  const preflight = preflightOf(parts, machineImport, plan);
  const machine = await observeMachine(parts, machineImport, plan, options);
  const isDone = isOver(history) && !isDeleting;
  const results = new Map<number, TransferResult>();
  const disks =
    plan === undefined || isDone ? [] : await observeDisks(parts, machineImport, { plan, results }, options);
  const seen: ObservedImport = {
    now: parts.clock.now(),
    isDeleting,
    hasFinalizer: metadata.finalizers?.includes(IMPORT_FINALIZER) ?? false,
    isSuspended: spec.suspend,
    // In an import that nobody has looked at yet it asks for nothing.
    isRetryAsked:
      spec.retry !== undefined &&
      spec.retry !== status.progress?.retry &&
      (status.progress !== undefined || isOver(history)),
    history,
    preflight,
    // A file is never on. Sources with power tell it when they come.
    sourcePower: { state: 'off' },
    sourceReadyAt: parts.sourceReadyAt?.(metadata.uid ?? ''),
    disks,
    hasToldDisks: status.importStatus === importStatuses.imagesReady,
    machine: isOver(history) ? { state: 'kept' } : machine,
    leftovers: isDeleting ? await findLeftovers(parts, machineImport, machine, options) : [],
  };
  return { seen, preflight, plan, results };
}

/** Only what was said of the spec as it is now counts. */
function preflightOf(
  { preflights }: ImportParts,
  { metadata, spec }: VirtualMachineImport,
  plan: PlanRecord | undefined,
): PreflightMemory | undefined {
  const hash = hashSpec(spec);
  const known = preflights.get(metadata.uid ?? '');
  if (known?.specHash === hash) return known;
  if (plan?.specHash !== hash) return undefined;
  return { specHash: hash, ranAt: plan.ranAt, findings: plan.findings, plan };
}
