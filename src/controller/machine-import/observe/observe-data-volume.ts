import { persistentVolumeClaimKind } from '../../../api/core-kinds.ts';
import { type DataVolume, dataVolumeKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import type { DiskPlan } from '../plan-record.ts';
import { foreignTo } from '../preflight/rival.ts';
import type { SeenImage } from './seen-image.ts';

/** What there is of the DataVolume that a disk is sent to. */
export async function observeDataVolume(
  { cluster, objects }: Pick<ImportParts, 'cluster' | 'objects'>,
  { metadata }: VirtualMachineImport,
  { claimName: name }: Pick<DiskPlan, 'claimName'>,
  options: CallOptions,
): Promise<SeenImage> {
  const { namespace = '', uid } = metadata;
  const object = await cluster.get(dataVolumeKind, { namespace, name }, options);
  if (object !== undefined) {
    const thing = `DataVolume "${name}" in namespace "${namespace}"`;
    const foreign = foreignTo(uid, object, thing, { objects, otherwise: 'DataVolumeExists' });
    if (foreign !== undefined) return { state: 'foreign', ...foreign };
    return object.metadata.deletionTimestamp === undefined ? readDataVolume(object) : { state: 'going' };
  }
  const claim = await cluster.get(persistentVolumeClaimKind, { namespace, name }, options);
  if (claim === undefined) return { state: 'absent' };
  const thing = `PersistentVolumeClaim "${name}" in namespace "${namespace}"`;
  const foreign = foreignTo(uid, claim, thing, { objects, otherwise: 'VolumeExists' });
  if (foreign !== undefined) return { state: 'foreign', ...foreign };
  // It follows the DataVolume that was its owner; before that CDI would make nothing of another one.
  const { deletionTimestamp, ownerReferences = [] } = claim.metadata;
  if (deletionTimestamp !== undefined || ownerReferences.length > 0) return { state: 'going' };
  return { state: 'foreign', code: 'VolumeExists', message: `${thing} has lost its DataVolume` };
}

/** CDI's phases (staging/src/kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1/types.go). An upload that breaks off changes none of them. */
export function readDataVolume({ metadata: { name }, status = {} }: DataVolume): SeenImage {
  const { phase = 'not begun', conditions = [] } = status;
  if (phase === 'Succeeded') return { state: 'imported' };
  const wrong = conditions.filter(
    ({ status: is, message }) => is !== 'True' && message !== undefined && message !== '',
  );
  const words = [`DataVolume "${name}" is ${phase}`, ...new Set(wrong.map(({ message }) => message))].join(': ');
  if (phase === 'Failed') return { state: 'failed', message: words };
  return { state: 'importing', message: words, takesUpload: phase === 'UploadReady' };
}
