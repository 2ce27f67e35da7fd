import type { Finding } from '../domain/finding.ts';
import { type MappingOptions, mapMachine } from '../domain/hardware-mapping.ts';
import { toKubernetesName } from '../domain/kubernetes-name.ts';
import type { Disk, Machine } from '../domain/machine.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Source } from '../ports/source.ts';
import type { Target } from '../ports/target.ts';
import type { ImportPlan, PlannedDisk } from './import-plan.ts';

export interface PlanOptions extends CallOptions {
  readonly machine?: string | undefined;
  /** Name on the target; derived from the machine's own name unless told. */
  readonly targetName?: string | undefined;
  readonly mapping: Omit<MappingOptions, 'targetName'>;
}

/**
 * Looks at one machine and its disks and at the target, and says what an import would do. Changes nothing anywhere. All findings at once, blockers first.
 * @throws ProblemError only when it could not look
 */
export async function planImport(
  source: Source,
  target: Target | undefined,
  options: PlanOptions,
): Promise<ImportPlan> {
  const { signal } = options;
  const machine = await source.inspect(options.machine, { signal });
  const targetName = options.targetName ?? toKubernetesName(machine.name);
  const findings: Finding[] = [];
  for await (const finding of source.preflight(machine, { signal })) findings.push(finding);

  const disks: PlannedDisk[] = [];
  for (const [index, disk] of machine.disks.entries()) disks.push(await planDisk(source, machine, disk, index, signal));

  const mapped = mapMachine(machine, { ...options.mapping, targetName });
  findings.push(...mapped.findings);

  const dataBytes = sumUnlessUnknown(
    disks.map(({ allocation }) => (allocation.kind === 'unknown' ? undefined : allocation.bytes)),
  );
  const virtualSizeBytes = disks.reduce((sum, disk) => sum + disk.virtualSizeBytes, 0);
  if (target !== undefined) {
    for await (const finding of target.preflight({ machineName: targetName, dataBytes, virtualSizeBytes }, { signal }))
      findings.push(finding);
  }
  return {
    source: source.location,
    target: target?.location,
    machine,
    targetName,
    mapped,
    disks,
    findings: findings.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)),
    dataBytes,
    virtualSizeBytes,
  };
}

const SEVERITIES: readonly Finding['severity'][] = ['blocker', 'warning', 'note'];

async function planDisk(
  source: Source,
  machine: Machine,
  disk: Disk,
  index: number,
  signal: AbortSignal | undefined,
): Promise<PlannedDisk> {
  const told: PlannedDisk = {
    disk,
    index,
    format: undefined,
    virtualSizeBytes: disk.virtualSizeBytes,
    allocation: disk.fileName === undefined ? { kind: 'exact', bytes: 0 } : toldAllocation(disk),
  };
  if (disk.fileName === undefined) return { ...told, format: 'empty' };
  if (source.isStreamed) return told;
  try {
    await using reader = await source.openDisk(machine, disk, { signal });
    const { format, virtualSizeBytes, allocation } = reader;
    return {
      ...told,
      format,
      virtualSizeBytes,
      allocation: allocation.kind === 'unknown' ? told.allocation : allocation,
    };
  } catch (error) {
    // The source's preflight has told about a disk that cannot be opened; the plan shows the rest all the same.
    if (isProblem(error)) return told;
    throw error;
  }
}

function toldAllocation(disk: Disk): PlannedDisk['allocation'] {
  return disk.populatedBytes === undefined ? { kind: 'unknown' } : { kind: 'known', bytes: disk.populatedBytes };
}

function sumUnlessUnknown(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    sum += value;
  }
  return sum;
}
