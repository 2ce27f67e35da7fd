import { type StorageClass, storageClassKind } from '../../../api/core-kinds.ts';
import { IMAGE_DISPLAY_NAME_LABEL, IMPORT_UID_LABEL } from '../../../api/literals.ts';
import { dataVolumeKind, virtualMachineImageKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { Finding } from '../../../domain/finding.ts';
import { isProblem } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { Cluster } from '../../../ports/cluster.ts';
import { namesOf } from '../names.ts';
import type { DiskPlan, ImagePlan } from '../plan-record.ts';
import { ownWord } from './spec-mapping.ts';

/** The images of an import that the old controller brought as far as that, in the order of its disks. */
export type AdoptedImages = readonly (string | undefined)[];

/** Names of the images, and so of their volumes: by disk. Undefined where the disks become no images. */
export function imageNamesOf(
  { spec, metadata }: VirtualMachineImport,
  adopted: AdoptedImages | undefined,
): ((index: number) => string) | undefined {
  const names = namesOf(metadata.uid ?? '');
  if (adopted !== undefined) return (index) => adopted[index] ?? names.image(index);
  return spec.target.image === undefined ? undefined : (index) => names.image(index);
}

/** What the old controller wrote down of them. */
export function adoptedImages({ status }: VirtualMachineImport): AdoptedImages {
  return (status.diskImportStatus ?? []).map(({ VirtualMachineImage }) => VirtualMachineImage);
}

/** A cluster without CDI has nobody to send disks to. */
export async function checkDataVolumeKind(
  cluster: Cluster,
  { metadata: { namespace = '', uid = '' } }: VirtualMachineImport,
  options: CallOptions,
): Promise<Finding[]> {
  try {
    await cluster.get(dataVolumeKind, { namespace, name: namesOf(uid).id }, options);
    return [];
  } catch (error) {
    if (!isProblem(error, 'ClusterKindMissing')) throw error;
    const message = 'spec.target asks for DataVolumes; the cluster has none, which are a kind of CDI';
    return [{ severity: 'blocker', code: 'TargetKindNotInstalled', message, subject: 'spec.target' }];
  }
}

/** A cluster without Harvester's kind cannot make images. */
export async function checkImageKind(
  cluster: Cluster,
  { metadata }: VirtualMachineImport,
  options: CallOptions,
): Promise<Finding[]> {
  const { namespace = '', uid = '' } = metadata;
  try {
    await cluster.get(virtualMachineImageKind, { namespace, name: namesOf(uid).image(0) }, options);
    return [];
  } catch (error) {
    if (!isProblem(error, 'ClusterKindMissing')) throw error;
    const message =
      'spec.target asks for images; the cluster has no VirtualMachineImages, which are a kind of Harvester';
    return [{ severity: 'blocker', code: 'TargetKindNotInstalled', message, subject: 'spec.target' }];
  }
}

/** Adds to each disk the image it becomes, and what that decides about its volume. */
export async function planImages(
  cluster: Cluster,
  machineImport: VirtualMachineImport,
  disks: readonly DiskPlan[],
  { adopted, targetName }: { readonly adopted: AdoptedImages | undefined; readonly targetName: string },
  options: CallOptions,
): Promise<{ readonly disks: readonly DiskPlan[]; readonly findings: readonly Finding[] }> {
  if (adopted === undefined && machineImport.spec.target.dataVolume !== undefined)
    return { disks: disks.map((disk) => ({ ...disk, image: uploadPlan(disk) })), findings: [] };
  const nameOf = imageNamesOf(machineImport, adopted);
  if (nameOf === undefined) return { disks, findings: [] };
  const findings: Finding[] = [];
  const planned: DiskPlan[] = [];
  for (const disk of disks) {
    const name = nameOf(disk.index);
    const isAdopted = adopted?.[disk.index] !== undefined;
    const backend = isAdopted
      ? await backendOfImage(cluster, machineImport, name, options)
      : await backendOfClass(cluster, machineImport, disk, options);
    const fileName = `${targetName}-disk-${disk.index}.img`;
    const displayName = await freeDisplayName(cluster, machineImport, disk.index, fileName, options);
    const image: ImagePlan = { name, displayName, fileName, backend, isAdopted };
    if (backend === 'cdi' && disk.claimName !== name) {
      const message = `disk ${disk.index}: spec.disks names the claim "${disk.claimName}", but CDI names an image's volume after the image`;
      findings.push({ severity: 'blocker', code: 'ImportFieldInvalid', message, subject: 'spec.disks' });
    }
    // Every node can attach what Longhorn makes of an image; what CDI makes is as its profile says.
    const modes = backend === 'cdi' ? {} : ({ accessMode: 'ReadWriteMany', volumeMode: 'Block' } as const);
    planned.push({ ...disk, ...modes, image });
  }
  if (adopted !== undefined && adopted.length !== disks.length) {
    const message = `the old controller made ${adopted.length} images; the machine has ${disks.length} disks`;
    findings.push({ severity: 'blocker', code: 'ImageMissing', message });
  }
  return { disks: planned, findings };
}

/** Under the claim's own name, which is the DataVolume's. */
function uploadPlan({ claimName }: DiskPlan): ImagePlan {
  return { name: claimName, displayName: claimName, fileName: claimName, backend: 'upload', isAdopted: false };
}

async function backendOfImage(
  cluster: Cluster,
  { metadata }: VirtualMachineImport,
  name: string,
  options: CallOptions,
): Promise<ImagePlan['backend']> {
  const { namespace = '' } = metadata;
  const image = await cluster.get(virtualMachineImageKind, { namespace, name }, options);
  return image?.spec?.backend === 'cdi' ? 'cdi' : 'backingimage';
}

/** Upstream's rule (reference section 7.1). Where nobody names a class the word is Harvester's, whose own is `backingimage`. */
async function backendOfClass(
  cluster: Cluster,
  { spec }: VirtualMachineImport,
  { id, index }: DiskPlan,
  options: CallOptions,
): Promise<ImagePlan['backend']> {
  const name = namedClass(spec, { id, index });
  if (name === undefined) return 'backingimage';
  const storageClass: StorageClass | undefined = await cluster.get(storageClassKind, { name }, options);
  const isLonghorn = storageClass?.provisioner === 'driver.longhorn.io';
  return isLonghorn && storageClass.parameters?.dataEngine === 'v1' ? 'backingimage' : 'cdi';
}

/** The class that the user named for a disk. */
export function namedClass(
  spec: VirtualMachineImport['spec'],
  { id, index }: Pick<DiskPlan, 'id' | 'index'>,
): string | undefined {
  return ownWord(spec, id, index)?.storageClass ?? spec.storageClass;
}

/** Harvester makes it a label, and from 1.8.2 on refuses what is none. */
const MOST_CHARACTERS = 63;

/**
 * Upstream's name, where it is free. Harvester takes each only once in a namespace, and the old controller took what it found under it for its own, also from an import of the same name
 * before (W19): here another one is made then.
 */
async function freeDisplayName(
  cluster: Cluster,
  { metadata }: VirtualMachineImport,
  index: number,
  fileName: string,
  options: CallOptions,
): Promise<string> {
  const { namespace = '', name, uid = '' } = metadata;
  const wanted = `vm-import-${name}-${fileName}`;
  const ending = `-${namesOf(uid).id}-disk-${index}.img`;
  const unique = `vm-import-${name}`.slice(0, MOST_CHARACTERS - ending.length) + ending;
  if (wanted.length > MOST_CHARACTERS) return unique;
  const labels = { [IMAGE_DISPLAY_NAME_LABEL]: wanted };
  for await (const image of cluster.list(virtualMachineImageKind, { ...options, namespace, labels }))
    if (image.metadata.labels?.[IMPORT_UID_LABEL] !== uid) return unique;
  return wanted;
}
