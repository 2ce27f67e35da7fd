import { CLI_FIELD_MANAGER } from '../../api/literals.ts';
import { describeObject, type KubernetesObject, refOf } from '../../domain/kubernetes-object.ts';
import { isProblem, type ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { ManifestObject } from './read-manifest.ts';

export type Applied = ManifestObject &
  (
    | {
        /** `applied` where this user may not read the object, so that nobody knows what it was before. */
        readonly result: 'created' | 'changed' | 'unchanged' | 'applied';
        /** As it is now. */
        readonly applied: KubernetesObject;
      }
    | { readonly result: 'failed'; readonly problem: ProblemError }
  );

/**
 * Applies objects one after the other, server-side, which refuses fields that are spelt wrong. One that is refused does not keep the others from being applied.
 */
export async function* applyManifest(
  cluster: Cluster,
  objects: readonly ManifestObject[],
  { force = false, ...options }: CallOptions & { readonly force?: boolean } = {},
): AsyncGenerator<Applied, void> {
  for (const each of objects) {
    const { kind, object } = each;
    try {
      const before = await getIfAllowed(cluster, each, options);
      const applied = await cluster.apply(kind, object, { ...options, fieldManager: CLI_FIELD_MANAGER, force });
      const isSame = before.object?.metadata.resourceVersion === applied.metadata.resourceVersion;
      const result = before.object === undefined ? 'created' : isSame ? 'unchanged' : 'changed';
      yield { ...each, result: before.isKnown ? result : 'applied', applied };
    } catch (error) {
      if (!isProblem(error)) throw error;
      yield { ...each, result: 'failed', problem: error };
    }
  }
}

/** To write Secrets and not read them is a right that people are given. */
async function getIfAllowed(cluster: Cluster, { kind, object }: ManifestObject, options: CallOptions) {
  try {
    return { isKnown: true, object: await cluster.get(kind, refOf(object), options) };
  } catch (error) {
    if (!isProblem(error, 'ClusterForbidden')) throw error;
    return { isKnown: false, object: undefined };
  }
}

/** `VirtualMachineImport vms/web01` */
export function nameOfManifest({ kind, object }: ManifestObject): string {
  return describeObject(kind, refOf(object));
}
