import { configMapKind, jobKind, persistentVolumeClaimKind, podKind } from '../../../api/core-kinds.ts';
import { IMPORT_UID_LABEL } from '../../../api/literals.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { KubernetesObject } from '../../../domain/kubernetes-object.ts';
import type { Leftover, ObservedMachine } from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import { dataVolumesOf } from './data-volumes-of.ts';
import { imagesOf } from './images-of.ts';
import { mayWrite } from './observe-transfer.ts';

/**
 * What the import made and a deletion takes away. A machine that was made is the user's, and so are its disks: all of it was copied and proven by then. Asked of the API itself, because
 * here a missing object decides.
 */
export async function findLeftovers(
  { cluster }: ImportParts,
  { metadata }: VirtualMachineImport,
  machine: ObservedMachine,
  options: CallOptions,
): Promise<Leftover[]> {
  const { uid = '', namespace } = metadata;
  const list = { ...options, namespace, labels: { [IMPORT_UID_LABEL]: uid } };
  const leftovers: Leftover[] = [];
  const note = ({ kind, metadata: { name, deletionTimestamp } }: KubernetesObject) =>
    leftovers.push({ kind, name, isGoing: deletionTimestamp !== undefined });
  for await (const job of cluster.list(jobKind, list)) note(job);
  for await (const pod of cluster.list(podKind, list)) if (mayWrite(pod)) note(pod);
  for await (const configMap of cluster.list(configMapKind, list)) note(configMap);
  if (machine.state === 'created' || machine.state === 'kept') return leftovers;
  // Only when nobody writes any more.
  if (leftovers.length === 0) for (const each of await dataVolumesOf(cluster, metadata, options)) note(each);
  // Not while CDI would make them again.
  if (leftovers.length === 0) for await (const claim of cluster.list(persistentVolumeClaimKind, list)) note(claim);
  // Harvester refuses to remove an image that a volume is made of.
  if (leftovers.length === 0) for (const image of await imagesOf(cluster, metadata, options)) note(image);
  return leftovers;
}
