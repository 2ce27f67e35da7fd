import { IMPORTED_LABEL } from '../../../api/literals.ts';
import type { DataVolume } from '../../../api/platform-kinds.ts';
import { labelsOf } from '../names.ts';
import type { DiskPlan } from '../plan-record.ts';
import { claimMebibytes } from './claim.ts';

/** Without it CDI waits for a machine, which there is not before the disk, where the class waits for its consumer (CDI, doc/waitforfirstconsumer-storage-handling.md). */
const BIND_NOW_ANNOTATION = 'cdi.kubevirt.io/storage.bind.immediate.requested';
/** Some releases of CDI, and settings of others, remove a DataVolume as soon as it is complete (CDI pull requests 2421, 2754), and that it is, is what we wait to read in it. */
const DELETE_ANNOTATION = 'cdi.kubevirt.io/storage.deleteAfterCompletion';

/**
 * What CDI makes the volume of a disk from, under the volume's own name. Without an owner, as a volume of ours: it outlives the import (ruling 19). CDI gives its labels to the claim. Its size
 * is the disk's: in `storage` CDI itself adds what a file system takes.
 */
export function dataVolumeObject(importUid: string, namespace: string, disk: DiskPlan): DataVolume {
  const { index, claimName, storageClass, accessMode, volumeMode, virtualSizeBytes } = disk;
  const storage = `${claimMebibytes({ virtualSizeBytes, volumeMode: 'Block' })}Mi`;
  return {
    apiVersion: 'cdi.kubevirt.io/v1beta1',
    kind: 'DataVolume',
    metadata: {
      name: claimName,
      namespace,
      labels: { ...labelsOf(importUid, { disk: index }), [IMPORTED_LABEL]: 'true' },
      annotations: { [BIND_NOW_ANNOTATION]: 'true', [DELETE_ANNOTATION]: 'false' },
    },
    spec: {
      source: { upload: {} },
      storage: {
        accessModes: [accessMode],
        volumeMode,
        ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
        resources: { requests: { storage } },
      },
    },
  };
}
