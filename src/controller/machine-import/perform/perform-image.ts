import {
  jobKind,
  type PersistentVolumeClaim,
  persistentVolumeClaimKind,
  type VolumeMode,
} from '../../../api/core-kinds.ts';
import { dataVolumeKind, type VirtualMachineImage, virtualMachineImageKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import { type ResourceKind, refOf } from '../../../domain/kubernetes-object.ts';
import { type ProblemCode, ProblemError } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import { namesOf } from '../names.ts';
import { dataVolumeObject } from '../objects/data-volume.ts';
import { imageClaim, imageObject, imageUrl } from '../objects/image.ts';
import type { Observation } from '../observe/observe.ts';
import { observeImage } from '../observe/observe-image.ts';
import { diskOf } from '../observe/observe-transfer.ts';
import type { DiskPlan, ImagePlan } from '../plan-record.ts';
import { namedClass } from '../preflight/preflight-images.ts';
import type { ImageRun } from '../transfers/transfer-record.ts';
import type { TransferPlace } from '../transfers/transfer-store.ts';

export type ImagedDiskPlan = DiskPlan & { readonly image: ImagePlan };

export interface ImageWork {
  readonly parts: ImportParts;
  readonly machineImport: VirtualMachineImport;
  readonly observation: Observation;
  readonly place: TransferPlace;
  readonly disk: ImagedDiskPlan;
}

/** The image of a disk that its worker serves. */
export function imageOf(
  { machineImport, place, disk }: ImageWork,
  { baseUrl, imageToken }: { readonly baseUrl: string; readonly imageToken: string },
): VirtualMachineImage {
  const url = imageUrl(baseUrl, namesOf(place.owner.uid).transfer(disk.index), imageToken, disk.image);
  return imageObject({ ...place, disk, storageClass: namedClass(machineImport.spec, disk), url });
}

/** The DataVolume that the disk will be sent to, or the image that is made of it by now: nothing when nobody serves it any more. */
export async function createImage(work: ImageWork, options: CallOptions): Promise<void> {
  const { cluster, images, transfers } = work.parts;
  if (work.disk.image.backend === 'upload') {
    const { owner, namespace } = work.place;
    await cluster.create(dataVolumeKind, dataVolumeObject(owner.uid, namespace, work.disk), options);
    return;
  }
  const { state } = await transfers.read(work.place, options);
  if (images === undefined || state.stage !== 'serve' || state.imageToken === undefined) return;
  const { baseUrl } = images;
  await cluster.create(virtualMachineImageKind, imageOf(work, { baseUrl, imageToken: state.imageToken }), options);
}

/** In this order: no image may follow before the run is known to have failed with this one. */
export async function giveUpImage(
  { parts, place, disk }: ImageWork,
  { code, message }: { readonly code: ProblemCode; readonly message: string },
  options: CallOptions,
): Promise<void> {
  const { cluster, transfers, objects, clock } = parts;
  const { state } = await transfers.read(place, options);
  const { epoch, problem } = state;
  if (problem?.epoch !== epoch) await transfers.saveProblem(place, { epoch, code, message, at: clock.now() }, options);
  for (const job of objects.jobs(place.owner.uid)) {
    if (diskOf(job) === disk.index && job.metadata.deletionTimestamp === undefined)
      await cluster.delete(jobKind, refOf(job), { ...options, uid: job.metadata.uid });
  }
  const kind = disk.image.backend === 'upload' ? dataVolumeKind : virtualMachineImageKind;
  await cluster.delete(kind as ResourceKind, { namespace: place.namespace, name: disk.image.name }, options);
}

/** What the next run of the disk is for. The token stays as long as the image does: it is in its URL. */
export async function imageRunOf(
  { parts, observation, place, disk }: ImageWork,
  options: CallOptions,
): Promise<ImageRun> {
  const { state } = await parts.transfers.read(place, options);
  const seen = observation.seen.disks.find(({ index }) => index === place.disk)?.image;
  const stage = seen?.state === 'imported' && state.served !== undefined ? 'prove' : 'serve';
  if (disk.image.backend === 'upload') return { stage };
  const isNew = seen?.state === 'absent' || seen?.state === 'going';
  const imageToken = (isNew ? undefined : state.imageToken) ?? parts.images?.createToken();
  if (imageToken === undefined)
    throw new ProblemError('TargetKindNotInstalled', 'the import was planned by an installation that serves images');
  return { imageToken, stage };
}

/** @throws ProblemError `ClusterConflict` when the image is not imported any more: what follows is decided anew */
export async function claimOfImage(
  { parts, machineImport, place, disk }: ImageWork,
  options: CallOptions,
): Promise<PersistentVolumeClaim> {
  const image = await observeImage(parts, machineImport, disk, options);
  if (image.state !== 'imported')
    throw new ProblemError('ClusterConflict', `image "${disk.image.name}" was imported and is not any more`);
  return imageClaim(place.owner.uid, place.namespace, disk, image.storageClass);
}

/** Whoever made the volume has decided it. */
export async function volumeModeOf({ parts, place, disk }: ImageWork, options: CallOptions): Promise<VolumeMode> {
  const ref = { namespace: place.namespace, name: disk.claimName };
  const claim = await parts.cluster.get(persistentVolumeClaimKind, ref, options);
  return claim?.spec?.volumeMode ?? disk.volumeMode;
}
