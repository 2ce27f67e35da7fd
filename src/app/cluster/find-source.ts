import type { KubernetesObject, ObjectRef } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { allOf } from './all-of.ts';
import { listSources } from './list-sources.ts';

/**
 * The sources of this name: of each kind there may be one.
 * @throws ProblemError `ClusterObjectMissing`
 */
export async function findSource(
  cluster: Cluster,
  { namespace, name }: ObjectRef,
  options: CallOptions = {},
): Promise<KubernetesObject[]> {
  const found = await allOf(listSources(cluster, { namespace, name, ...options }));
  if (found.length > 0) return found;
  throw new ProblemError('ClusterObjectMissing', `no source "${name}" is in namespace "${namespace ?? ''}"`);
}
