import { IMPORT_UID_LABEL, IMPORTED_LABEL } from '../../../api/literals.ts';
import { type VirtualMachineImage, virtualMachineImageKind } from '../../../api/platform-kinds.ts';
import { type ObjectMeta, refOf } from '../../../domain/kubernetes-object.ts';
import { isProblem } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { Cluster } from '../../../ports/cluster.ts';

type Importer = Pick<ObjectMeta, 'uid' | 'namespace'>;

/** The images that an import made, be it this controller or the old one, which wrote only an owner on them. None where the cluster has no such kind. */
export async function imagesOf(
  cluster: Cluster,
  { uid, namespace }: Importer,
  options: CallOptions,
): Promise<VirtualMachineImage[]> {
  const images: VirtualMachineImage[] = [];
  const labels = { [IMPORTED_LABEL]: 'true' };
  try {
    for await (const image of cluster.list(virtualMachineImageKind, { ...options, namespace, labels })) {
      const isOwned = image.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
      if (isOwned || image.metadata.labels?.[IMPORT_UID_LABEL] === uid) images.push(image);
    }
  } catch (error) {
    if (!isProblem(error, 'ClusterKindMissing')) throw error;
  }
  return images;
}

/** From now on they are the user's: without the import as their owner they do not go with it (reference section 7.6). */
export async function releaseImages(cluster: Cluster, importer: Importer, options: CallOptions): Promise<void> {
  for (const image of await imagesOf(cluster, importer, options)) {
    const { ownerReferences = [], resourceVersion } = image.metadata;
    const kept = ownerReferences.filter(({ uid }) => uid !== importer.uid);
    if (kept.length === ownerReferences.length) continue;
    const patch = {
      metadata: {
        ownerReferences: kept.map((each) => ({ ...each })),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
    };
    await cluster.patch(virtualMachineImageKind, refOf(image), patch, options);
  }
}
