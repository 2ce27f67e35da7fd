import { IMPORT_UID_LABEL } from '../../../api/literals.ts';
import { type DataVolume, dataVolumeKind } from '../../../api/platform-kinds.ts';
import type { ObjectMeta } from '../../../domain/kubernetes-object.ts';
import { isProblem } from '../../../domain/problems.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { Cluster } from '../../../ports/cluster.ts';

/** The DataVolumes that an import made. None where the cluster has no CDI. */
export async function dataVolumesOf(
  cluster: Cluster,
  { uid = '', namespace }: Pick<ObjectMeta, 'uid' | 'namespace'>,
  options: CallOptions,
): Promise<DataVolume[]> {
  const found: DataVolume[] = [];
  const labels = { [IMPORT_UID_LABEL]: uid };
  try {
    for await (const each of cluster.list(dataVolumeKind, { ...options, namespace, labels })) found.push(each);
  } catch (error) {
    if (!isProblem(error, 'ClusterKindMissing')) throw error;
  }
  return found;
}
