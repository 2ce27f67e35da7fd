import type { Finding } from '../domain/finding.ts';
import { type MappingOptions, mapMachine } from '../domain/hardware-mapping.ts';
import { toKubernetesName } from '../domain/kubernetes-name.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Source } from '../ports/source.ts';
import type { ImportPlan } from './import-plan.ts';
import { type MeasureLimits, measureForPlan } from './measure-for-plan.ts';
import type { MeasureParts } from './measure-transfer.ts';
import { planDisks } from './plan-disks.ts';
import type { PlannedTarget } from './planned-target.ts';

export interface PlanOptions extends CallOptions {
  readonly machine?: string | undefined;
  /** Name on the target; derived from the machine's own name unless told. */
  readonly targetName?: string | undefined;
  /** Space on the target that other machines of the same command will take. */
  readonly promisedBytes?: number | undefined;
  readonly mapping: Omit<MappingOptions, 'targetName' | 'diskFormat'>;
  /** Measure how fast source and target are, to say how long it will take. */
  readonly measure?: (MeasureLimits & { readonly parts: MeasureParts }) | undefined;
}

/**
 * Looks at one machine and its disks and at the target, and says what an import would do. Changes nothing anywhere; where it is to measure the target, a
 * temporary file comes and goes there. All findings at once, blockers first.
 * @throws ProblemError only when it could not look
 */
export async function planImport(
  source: Source,
  target: PlannedTarget | undefined,
  options: PlanOptions,
): Promise<ImportPlan> {
  const { signal, measure } = options;
  const machine = await source.inspect(options.machine, { signal });
  const targetName = options.targetName ?? toKubernetesName(machine.name);
  const findings: Finding[] = [];
  for await (const finding of source.preflight(machine, { signal })) findings.push(finding);

  const disks = await planDisks(source, machine, { signal });

  const mapped = mapMachine(machine, { ...options.mapping, targetName, diskFormat: target?.diskFormat ?? 'qcow2' });
  findings.push(...mapped.findings);

  const dataBytes = sumUnlessUnknown(
    disks.map(({ allocation }) => (allocation.kind === 'unknown' ? undefined : allocation.bytes)),
  );
  const virtualSizeBytes = disks.reduce((sum, disk) => sum + disk.virtualSizeBytes, 0);
  if (target !== undefined) {
    const diskSizesBytes = disks.map((disk) => disk.virtualSizeBytes);
    const { promisedBytes } = options;
    const need = { machineName: targetName, dataBytes, virtualSizeBytes, diskSizesBytes, promisedBytes };
    for await (const finding of target.preflight(need, { signal })) findings.push(finding);
  }
  const plan: ImportPlan = {
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
  if (measure === undefined) return plan;
  return { ...plan, ...(await measureForPlan(measure.parts, source, target, plan, { ...measure, signal })) };
}

const SEVERITIES: readonly Finding['severity'][] = ['blocker', 'warning', 'note'];

function sumUnlessUnknown(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    sum += value;
  }
  return sum;
}
