import { readVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { isProblem } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { allOf } from './all-of.ts';
import { type ImportSummary, summarize } from './summarize-import.ts';

/** The imports that name this source: of all namespaces, or of the source's own where this user may see no others. */
export async function importsOfSource(
  cluster: Cluster,
  source: KubernetesObject,
  options: CallOptions = {},
): Promise<ImportSummary[]> {
  const list = (namespace?: string) => allOf(cluster.list(virtualMachineImportKind, { ...options, namespace }));
  const stored = await list().catch((error: unknown) => {
    if (!isProblem(error, 'ClusterForbidden')) throw error;
    return list(source.metadata.namespace);
  });
  return stored
    .map((each) => readVirtualMachineImport(each).object)
    .filter(({ spec }) => {
      const { kind, namespace, name } = spec.sourceCluster ?? {};
      const isKind = kind?.toLowerCase() === source.kind.toLowerCase();
      return isKind && namespace === source.metadata.namespace && name === source.metadata.name;
    })
    .map(summarize);
}
