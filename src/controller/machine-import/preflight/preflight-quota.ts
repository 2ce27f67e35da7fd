import { resourceQuotaKind } from '../../../api/core-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { Finding } from '../../../domain/finding.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import { formatBytes } from '../../../lib/format-units.ts';
import { parseQuantity } from '../../../lib/parse-quantity.ts';
import type { Cluster } from '../../../ports/cluster.ts';
import { claimMebibytes } from '../objects/claim.ts';
import type { DiskPlan } from '../plan-record.ts';

const MIB = 1024 * 1024;

/** What the volumes still to be made would take of each quota of the namespace: storage and claims, in all and per class. */
export async function checkQuota(
  cluster: Cluster,
  { metadata, status }: VirtualMachineImport,
  disks: readonly DiskPlan[],
  options: CallOptions,
): Promise<Finding[]> {
  // Those that exist already are in the quota's own count.
  const made = new Set(
    status.progress?.disks?.flatMap(({ claimName, phase }) => (phase === 'Pending' ? [] : [claimName])),
  );
  const wanted = disks.filter(({ claimName }) => !made.has(claimName));
  if (wanted.length === 0) return [];
  const need = needOf(wanted);
  const findings: Finding[] = [];
  for await (const quota of cluster.list(resourceQuotaKind, { ...options, namespace: metadata.namespace })) {
    const hard = quota.status?.hard ?? quota.spec?.hard ?? {};
    for (const [resource, amount] of need) {
      const limit = parseQuantity(hard[resource] ?? '');
      if (limit === undefined) continue;
      const left = limit - (parseQuantity(quota.status?.used?.[resource] ?? '0') ?? 0);
      if (amount <= left) continue;
      const isBytes = resource.endsWith('requests.storage');
      const say = (value: number) => (isBytes ? formatBytes(Math.max(0, value)) : String(Math.max(0, value)));
      const message = `ResourceQuota "${quota.metadata.name}" leaves ${say(left)} of ${resource}; the import needs ${say(amount)}`;
      findings.push({ severity: 'blocker', code: 'QuotaExceeded', message, subject: resource });
    }
  }
  return findings;
}

/** Names as ResourceQuota has them. */
function needOf(disks: readonly DiskPlan[]): ReadonlyMap<string, number> {
  const need = new Map<string, number>();
  const add = (resource: string, amount: number) => need.set(resource, (need.get(resource) ?? 0) + amount);
  for (const disk of disks) {
    const bytes = claimMebibytes(disk) * MIB;
    const ofClass = disk.storageClass === undefined ? [] : [`${disk.storageClass}.storageclass.storage.k8s.io/`];
    for (const prefix of ['', ...ofClass]) {
      add(`${prefix}requests.storage`, bytes);
      add(`${prefix}persistentvolumeclaims`, 1);
    }
  }
  return need;
}
