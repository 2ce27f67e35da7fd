import type { ConfigMap } from '../../../api/core-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { DiskReport, ImportReport } from '../../../app/import-report.ts';
import type { OwnerReference } from '../../../domain/kubernetes-object.ts';
import { labelsOf, namesOf } from '../names.ts';
import type { PlanRecord } from '../plan-record.ts';
import type { TransferResult } from '../transfers/transfer-record.ts';

export interface ReportFacts {
  readonly machineImport: VirtualMachineImport;
  readonly owner: OwnerReference;
  readonly plan: PlanRecord;
  /** By the disks' numbers. */
  readonly results: ReadonlyMap<number, TransferResult>;
  /** Milliseconds since the epoch. */
  readonly finishedAt: number;
  readonly airliftVersion: string;
}

export const REPORT_KEY = 'report.json';
/** A ConfigMap holds 1 MiB with everything. */
const MOST_BYTES = 900 * 1024;

/** The proof of one import, as the command line writes it into `report.json`, beside the import for as long as that is there. */
export function reportObject(facts: ReportFacts): ConfigMap {
  const { machineImport, owner } = facts;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: namesOf(owner.uid).report,
      ...(machineImport.metadata.namespace === undefined ? {} : { namespace: machineImport.metadata.namespace }),
      labels: labelsOf(owner.uid),
      ownerReferences: [owner],
    },
    data: { [REPORT_KEY]: fitted(reportOf(facts)) },
  };
}

function reportOf({ machineImport, plan, results, finishedAt, airliftVersion }: ReportFacts): ImportReport {
  const { metadata, spec, status } = machineImport;
  const { kind = '', namespace = '', name = '' } = spec.sourceCluster ?? {};
  return {
    kind: 'AirliftImportReport',
    version: 1,
    airliftVersion,
    source: `${kind} ${namespace}/${name}`,
    target: `kubevirt:${metadata.namespace ?? ''}/${plan.targetName}`,
    machine: { id: plan.machineId, name: spec.virtualMachineName ?? plan.machineId },
    targetName: plan.targetName,
    startedAt: status.progress?.startedAt ?? new Date(plan.ranAt).toISOString(),
    finishedAt: new Date(finishedAt).toISOString(),
    verify: spec.transfer.verify,
    disks: plan.disks.flatMap(({ index, id, name: diskName, claimName }) => {
      const result = results.get(index);
      return result === undefined ? [] : [diskReport({ id, name: diskName, file: claimName }, result)];
    }),
    fidelity: plan.fidelity.map((row) => ({ ...row })),
    findings: plan.findings.map(({ severity, code, message, subject }) => ({
      severity,
      code,
      message,
      ...(subject === undefined ? {} : { subject }),
    })),
  };
}

function diskReport(disk: Pick<DiskReport, 'id' | 'name' | 'file'>, result: TransferResult): DiskReport {
  const { format: sourceFormat, digest, storedDigests, ...rest } = result;
  return {
    ...disk,
    sourceFormat,
    format: 'raw',
    ...rest,
    ...(digest === undefined ? {} : { digest: { ...digest, sections: [...digest.sections] } }),
    storedDigests: storedDigests.map(({ name, algorithm, expected, actual }) => ({
      name,
      algorithm,
      ...(expected === undefined ? {} : { expected }),
      actual,
    })),
  };
}

/** Of a machine with very many or very large disks the digests of sections go first, then rows of the account; roots and results always stay. */
function fitted(report: ImportReport): string {
  const text = JSON.stringify(report, undefined, 2);
  if (Buffer.byteLength(text) <= MOST_BYTES) return text;
  const disks = report.disks.map(({ digest, ...disk }) => ({
    ...disk,
    ...(digest === undefined ? {} : { digest: { ...digest, sections: [] } }),
  }));
  for (let rows = report.fidelity.length; ; rows = Math.floor(rows / 2)) {
    const shorter = JSON.stringify({ ...report, disks, fidelity: report.fidelity.slice(0, rows) });
    if (Buffer.byteLength(shorter) <= MOST_BYTES || rows === 0) return shorter;
  }
}
