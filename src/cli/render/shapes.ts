import type { BenchResult } from '../../app/bench-transfer.ts';
import type { ImportOutcome } from '../../app/import-parts.ts';
import type { ImportPlan } from '../../app/import-plan.ts';
import type { InspectedMachine } from '../../app/inspect-source.ts';
import type { DiskVerification } from '../../app/verify-report.ts';
import type { Finding } from '../../domain/finding.ts';
import { problems } from '../../domain/problems.ts';

// What `--output json` and `yaml` give. Scripts stand on these: fields may be added, none renamed or removed.

/** Values of settings are left out: appliances keep passwords there. */
export function inspectionShape(machines: readonly InspectedMachine[]): object {
  return {
    machines: machines.map(({ machine, disks, findings }) => ({
      ...machine,
      disks: disks.map(({ disk, format }) => ({ ...disk, format })),
      settings: machine.settings.map(({ kind, name }) => ({ kind, name })),
      findings: findings.map(findingShape),
    })),
  };
}

/** The machine itself is what `inspect` shows. */
export function planShape(plan: ImportPlan): object {
  const { source, target, machine, targetName, mapped, disks, dataBytes, virtualSizeBytes, findings } = plan;
  return {
    source,
    target,
    machine: { id: machine.id, name: machine.name },
    targetName,
    disks: disks.map(({ disk, index, format, virtualSizeBytes: size, allocation }) => ({
      index,
      id: disk.id,
      name: disk.name,
      fileName: disk.fileName,
      format,
      virtualSizeBytes: size,
      allocation,
    })),
    dataBytes,
    virtualSizeBytes,
    estimatedMs: plan.estimate?.ms,
    estimate: plan.estimate,
    notEstimated: plan.notEstimated,
    hardware: mapped.hardware,
    fidelity: mapped.fidelity,
    findings: findings.map(findingShape),
  };
}

export interface FinishedImport {
  readonly machine: string;
  readonly location: string;
}

export function importsShape(outcomes: readonly ImportOutcome[], finishedBefore: readonly FinishedImport[]): object {
  return { imports: outcomes.map(({ location, report }) => ({ location, report })), finishedBefore };
}

/** Bytes per second as a number of their own; what was measured beside it. */
export function benchShape({ rates, targetRates, ...result }: BenchResult): object {
  const measured = (each: Measurement) => ({ bytesPerSecond: Math.round(bytesPerSecond(each)), ...each });
  const { read, decode, hash, lanes, expansion } = rates;
  return {
    ...result,
    copyBytesPerSecond: Math.round(result.copyBytesPerSecond),
    rates: {
      read: measured(read),
      decode: measured(decode),
      hash: measured(hash),
      ...(targetRates && { write: measured(targetRates.write), readBack: measured(targetRates.readBack) }),
    },
    lanes,
    expansion,
  };
}

export function verificationShape(disks: readonly DiskVerification[]): object {
  return { disks };
}

type Measurement = BenchResult['rates']['read'];

function bytesPerSecond({ bytes, ms }: Measurement): number {
  return (bytes / ms) * 1000;
}

function findingShape(finding: Finding): object {
  return { ...finding, remedy: problems[finding.code].remedy };
}
