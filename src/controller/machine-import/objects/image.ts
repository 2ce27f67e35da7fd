import type { PersistentVolumeClaim } from '../../../api/core-kinds.ts';
import {
  IMAGE_DISPLAY_NAME_LABEL,
  IMAGE_ID_ANNOTATION,
  IMAGE_STORAGE_CLASS_ANNOTATION,
  IMPORTED_LABEL,
} from '../../../api/literals.ts';
import type { VirtualMachineImage } from '../../../api/platform-kinds.ts';
import type { OwnerReference } from '../../../domain/kubernetes-object.ts';
import { labelsOf } from '../names.ts';
import type { DiskPlan, ImagePlan } from '../plan-record.ts';
import { claimObject } from './claim.ts';

export interface ImageFacts {
  readonly namespace: string;
  readonly owner: OwnerReference;
  readonly disk: DiskPlan & { readonly image: ImagePlan };
  /** The class that the user named; Harvester chooses where nobody did. */
  readonly storageClass: string | undefined;
  readonly url: string;
}

/**
 * As the old controller made it (reference section 7.1), but for its name, which follows from the import, and for `retry`: an explicit 0 defeats Harvester's default of three (W29). The
 * owner is there for the one case that nobody removes what the import left; it is taken off again before the import goes.
 */
export function imageObject({ namespace, owner, disk, storageClass, url }: ImageFacts): VirtualMachineImage {
  const { apiVersion, kind, name, uid } = owner;
  const { image, index } = disk;
  if (image.backend === 'upload') throw new Error(`disk ${index} is sent to a DataVolume and becomes no image`);
  return {
    apiVersion: 'harvesterhci.io/v1beta1',
    kind: 'VirtualMachineImage',
    metadata: {
      name: image.name,
      namespace,
      labels: {
        ...labelsOf(uid, { disk: index }),
        [IMPORTED_LABEL]: 'true',
        [IMAGE_DISPLAY_NAME_LABEL]: image.displayName,
      },
      ...(storageClass === undefined ? {} : { annotations: { [IMAGE_STORAGE_CLASS_ANNOTATION]: storageClass } }),
      ownerReferences: [{ apiVersion, kind, name, uid }],
    },
    spec: {
      displayName: image.displayName,
      sourceType: 'download',
      url,
      ...(storageClass === undefined ? {} : { backend: image.backend, targetStorageClassName: storageClass }),
    },
  };
}

/** Where a downloader finds a disk: the transfer, and what only the image knows. */
export function imageUrl(base: string, transferId: string, token: string, { fileName }: ImagePlan): string {
  return `${base}/images/${transferId}/${token}/${encodeURIComponent(fileName)}`;
}

/** The volume of a disk, made by Longhorn of its image by way of the image's own class (reference section 7.3), and as large as the disk, not as the file that was downloaded (ruling 20). */
export function imageClaim(
  importUid: string,
  namespace: string,
  disk: DiskPlan & { readonly image: ImagePlan },
  storageClass: string | undefined,
): PersistentVolumeClaim {
  const claim = claimObject(importUid, namespace, { ...disk, storageClass });
  const annotations = { [IMAGE_ID_ANNOTATION]: `${namespace}/${disk.image.name}` };
  return { ...claim, metadata: { ...claim.metadata, annotations } };
}
