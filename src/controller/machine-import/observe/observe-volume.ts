import {
  eventKind,
  type PersistentVolumeClaim,
  persistentVolumeClaimKind,
  storageClassKind,
} from '../../../api/core-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { ObservedVolume } from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import type { DiskPlan } from '../plan-record.ts';
import { foreignTo } from '../preflight/rival.ts';

/** The claim of a disk: whose it is, and whether it is bound. */
export async function observeVolume(
  { cluster, objects }: ImportParts,
  { metadata }: VirtualMachineImport,
  { claimName, storageClass, image }: DiskPlan,
  options: CallOptions,
): Promise<ObservedVolume> {
  const { uid = '', namespace = '' } = metadata;
  const known = objects.claims(uid).find((each) => each.metadata.name === claimName);
  const claim = known ?? (await cluster.get(persistentVolumeClaimKind, { namespace, name: claimName }, options));
  const isCdis = image?.backend === 'cdi' || image?.backend === 'upload';
  if (claim === undefined && isCdis)
    return { state: 'lost', message: `claim "${claimName}", which CDI makes, is not there` };
  if (claim === undefined) return { state: 'absent' };
  const thing = `PersistentVolumeClaim "${claimName}" in namespace "${namespace}"`;
  // CDI's own, and the old controller's, carry no label of ours.
  const isOurs = image !== undefined && (isCdis || image.isAdopted) && claimName === image.name;
  const foreign = isOurs ? undefined : foreignTo(uid, claim, thing, { objects, otherwise: 'VolumeExists' });
  if (foreign !== undefined) return { state: 'foreign', ...foreign };
  if (claim.metadata.deletionTimestamp !== undefined) return { state: 'going' };
  if (claim.status?.phase === 'Bound') return { state: 'bound' };
  if (claim.status?.phase === 'Lost') return { state: 'lost', message: `claim "${claimName}" has lost its volume` };
  const isWaitingForConsumer = await waitsForConsumer(cluster, storageClass, options);
  const message = isWaitingForConsumer ? undefined : await provisionerMessage(cluster, claim, options);
  return {
    state: 'pending',
    isWaitingForConsumer,
    since: Date.parse(claim.metadata.creationTimestamp ?? '') || 0,
    ...(message === undefined ? {} : { message }),
  };
}

async function waitsForConsumer(cluster: ImportParts['cluster'], name: string | undefined, options: CallOptions) {
  if (name === undefined) return false;
  const storageClass = await cluster.get(storageClassKind, { name }, options);
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
}

/** The last thing that anybody said about the claim, in its own words. */
async function provisionerMessage(
  cluster: ImportParts['cluster'],
  { metadata }: PersistentVolumeClaim,
  options: CallOptions,
): Promise<string | undefined> {
  const fields = { 'involvedObject.uid': metadata.uid ?? '' };
  let last: { readonly at: string; readonly text: string } | undefined;
  for await (const event of cluster.list(eventKind, { ...options, namespace: metadata.namespace, fields })) {
    const at = event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';
    if (last === undefined || at >= last.at) last = { at, text: `${event.reason ?? ''}: ${event.message ?? ''}` };
  }
  return last && `claim "${metadata.name}": ${last.text}`;
}
