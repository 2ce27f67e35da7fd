import type { MachineTarget, Target } from '../ports/target.ts';
import type { ImportMachineOptions, ImportParts, TransferredDisk } from './import-parts.ts';
import type { ImportPlan } from './import-plan.ts';
import type { DiskReport, ImportReport } from './import-report.ts';

export interface ReportFacts {
  readonly parts: ImportParts;
  readonly plan: ImportPlan;
  readonly target: Target;
  readonly place: MachineTarget;
  readonly options: ImportMachineOptions;
  readonly startedAt: number;
  readonly disks: readonly TransferredDisk[];
}

/** The proof of one import, as plain data. */
export function buildReport({ parts, plan, target, place, options, startedAt, disks }: ReportFacts): ImportReport {
  const skipped = {
    severity: 'warning' as const,
    code: 'VerificationSkipped' as const,
    message: 'verification was switched off',
  };
  return {
    kind: 'AirliftImportReport',
    version: 1,
    airliftVersion: parts.airliftVersion,
    source: plan.source,
    target: target.location,
    machine: { id: plan.machine.id, name: plan.machine.name },
    targetName: plan.targetName,
    startedAt: new Date(startedAt).toISOString(),
    finishedAt: new Date(parts.clock.now()).toISOString(),
    verify: options.verify,
    ...(plan.estimate === undefined ? {} : { estimate: { ...plan.estimate, rates: { ...plan.estimate.rates } } }),
    disks: disks.map((disk) => reportDisk(disk, target, place)),
    fidelity: plan.mapped.fidelity.map((row) => ({ ...row })),
    findings: [...plan.findings, ...(options.verify === 'none' ? [skipped] : [])],
  };
}

function reportDisk(
  { planned, result, allocatedBytes }: TransferredDisk,
  target: Target,
  place: MachineTarget,
): DiskReport {
  const { format: sourceFormat, digest, storedDigests, ...rest } = result;
  return {
    id: planned.disk.id,
    name: planned.disk.name,
    ...(planned.disk.fileName === undefined ? {} : { sourceFile: planned.disk.fileName }),
    sourceFormat,
    file: place.diskFileName(planned.index),
    format: target.diskFormat,
    allocatedBytes,
    ...rest,
    ...(digest === undefined ? {} : { digest: { ...digest, sections: [...digest.sections] } }),
    storedDigests: storedDigests.map((each) => ({ ...each })),
  };
}
