import { IMAGE_IMPORT_FAILED_REASON, imageConditions } from '../../../api/literals.ts';
import { type VirtualMachineImage, virtualMachineImageKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import type { DiskPlan, ImagePlan } from '../plan-record.ts';
import { foreignTo } from '../preflight/rival.ts';
import { observeDataVolume } from './observe-data-volume.ts';
import type { SeenImage } from './seen-image.ts';

const SECTOR_BYTES = 512;

/** Asks the cluster: what Harvester or CDI say of an image is seen nowhere else, and is worth a look every few seconds only. */
export async function observeImage(
  { cluster, objects }: Pick<ImportParts, 'cluster' | 'objects'>,
  machineImport: VirtualMachineImport,
  disk: DiskPlan & { readonly image: ImagePlan },
  options: CallOptions,
): Promise<SeenImage> {
  const { namespace = '', uid } = machineImport.metadata;
  const { name, isAdopted } = disk.image;
  if (disk.image.backend === 'upload')
    return await observeDataVolume({ cluster, objects }, machineImport, disk, options);
  const object = await cluster.get(virtualMachineImageKind, { namespace, name }, options);
  if (object === undefined) return { state: 'absent' };
  const thing = `VirtualMachineImage "${name}" in namespace "${namespace}"`;
  const foreign = isAdopted ? undefined : foreignTo(uid, object, thing, { objects, otherwise: 'ImageExists' });
  if (foreign !== undefined) return { state: 'foreign', ...foreign };
  if (object.metadata.deletionTimestamp !== undefined) return { state: 'going' };
  return readImage(object, disk);
}

/**
 * What Harvester says. Its own word for having given up is `RetryLimitExceeded`; before 1.2.0 it was a reason of `Imported` (W1). What it says before that is only told.
 */
export function readImage(
  object: VirtualMachineImage,
  { image, virtualSizeBytes }: DiskPlan & { readonly image: ImagePlan },
): Exclude<SeenImage, { readonly state: 'absent' | 'foreign' }> {
  const conditions = object.status?.conditions ?? [];
  const find = (wanted: string) => conditions.find(({ type }) => type === wanted);
  const imported = find(imageConditions.imported);
  const exceeded = find(imageConditions.retryLimitExceeded);
  const words = [exceeded?.message, imported?.message, find(imageConditions.initialized)?.message].find(Boolean);
  const thing = `VirtualMachineImage "${object.metadata.name}"`;
  const isOldFailure = imported?.status === 'False' && imported.reason === IMAGE_IMPORT_FAILED_REASON;
  if (exceeded?.status === 'True' || isOldFailure)
    return { state: 'failed', message: `${thing}: ${words ?? 'Harvester does not say why'}` };
  if (imported?.status !== 'True') {
    const percent = object.status?.progress;
    const message = [percent === undefined ? undefined : `${percent} % imported`, words].filter(Boolean).join(': ');
    return { state: 'importing', message: message === '' ? undefined : `${thing}: ${message}` };
  }
  // Its volumes are of a class that Harvester names a moment later.
  if (image.backend === 'backingimage' && !object.status?.storageClassName) return { state: 'importing' };
  const size = object.status?.virtualSize ?? 0;
  const expected = Math.ceil(virtualSizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
  // Older ones say nothing of it; what the old controller made has the size that it has.
  if (size > 0 && size !== expected && !image.isAdopted) {
    return {
      state: 'failed',
      message: `${thing} is of a disk of ${size} bytes, and this disk has ${expected}`,
    };
  }
  return { state: 'imported', storageClass: object.status?.storageClassName };
}
