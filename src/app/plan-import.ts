import type { Finding } from '../domain/finding.ts';
import { type MappingOptions, mapMachine } from '../domain/hardware-mapping.ts';
import { toKubernetesName } from '../domain/kubernetes-name.ts';
import type { Source } from '../ports/source.ts';
import type { Target } from '../ports/target.ts';
import type { ImportPlan, PlannedDisk } from './import-plan.ts';
import { type PlanDisksOptions, planDisks } from './plan-disks.ts';

export interface PlanOptions extends PlanDisksOptions {
  readonly machine?: string | undefined;
  /** Name on the target; derived from the machine's own name unless told. */
  readonly targetName?: string | undefined;
  readonly mapping: Omit<MappingOptions, 'targetName' | 'diskFormat'>;
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
  const { signal, measureRead } = options;
  const machine = await source.inspect(options.machine, { signal });
  const targetName = options.targetName ?? toKubernetesName(machine.name);
  const findings: Finding[] = [];
  for await (const finding of source.preflight(machine, { signal })) findings.push(finding);

  const disks = await planDisks(source, machine, { signal, measureRead });

  const mapped = mapMachine(machine, { ...options.mapping, targetName, diskFormat: target?.diskFormat ?? 'qcow2' });
  findings.push(...mapped.findings);

  const dataBytes = sumUnlessUnknown(
    disks.map(({ allocation }) => (allocation.kind === 'unknown' ? undefined : allocation.bytes)),
  );
  const virtualSizeBytes = disks.reduce((sum, disk) => sum + disk.virtualSizeBytes, 0);
  if (target !== undefined) {
    for await (const finding of target.preflight({ machineName: targetName, dataBytes, virtualSizeBytes }, { signal }))
      findings.push(finding);
  }
  const estimatedMs = estimate(disks);
  return {
    ...(estimatedMs === undefined ? {} : { estimatedMs }),
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

function estimate(disks: readonly PlannedDisk[]): number | undefined {
  return sumUnlessUnknown(
    disks.map(({ allocation, measuredBytesPerSecond }) => {
      if (allocation.kind === 'unknown') return undefined;
      if (allocation.bytes === 0) return 0;
      return measuredBytesPerSecond === undefined ? undefined : (allocation.bytes / measuredBytesPerSecond) * 1000;
    }),
  );
}

function sumUnlessUnknown(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    sum += value;
  }
  return sum;
}
