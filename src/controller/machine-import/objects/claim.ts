import type { PersistentVolumeClaim } from '../../../api/core-kinds.ts';
import { IMPORTED_LABEL } from '../../../api/literals.ts';
import { labelsOf } from '../names.ts';
import type { DiskPlan } from '../plan-record.ts';

const MIB = 1024 * 1024;
/** Share of a volume that its file system takes for itself; what CDI reckons with (CDIConfig `filesystemOverhead`, global default). */
const FILE_SYSTEM_SHARE = 0.06;

/** The volume of one disk. Without an owner: it must outlive the import (ruling 19); until then its label says whose it is. */
export function claimObject(importUid: string, namespace: string, disk: DiskPlan): PersistentVolumeClaim {
  const { index, claimName, storageClass, accessMode, volumeMode } = disk;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName,
      namespace,
      labels: { ...labelsOf(importUid, { disk: index }), [IMPORTED_LABEL]: 'true' },
    },
    spec: {
      accessModes: [accessMode],
      volumeMode,
      ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
      resources: { requests: { storage: `${claimMebibytes(disk)}Mi` } },
    },
  };
}

/** Whole MiB, at least one: some provisioners refuse anything else. */
export function claimMebibytes({
  virtualSizeBytes,
  volumeMode,
}: Pick<DiskPlan, 'virtualSizeBytes' | 'volumeMode'>): number {
  const bytes = volumeMode === 'Block' ? virtualSizeBytes : virtualSizeBytes / (1 - FILE_SYSTEM_SHARE);
  return Math.max(1, Math.ceil(bytes / MIB));
}
