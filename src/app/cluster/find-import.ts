import {
  type StoredVirtualMachineImport,
  type VirtualMachineImport,
  virtualMachineImportKind,
} from '../../api/virtual-machine-import.ts';
import type { ObjectRef } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';

const MOST_NAMES = 5;

/** @throws ProblemError `ClusterObjectMissing`, with the names that are there instead */
export async function findImport(
  cluster: Cluster,
  ref: ObjectRef,
  options: CallOptions = {},
): Promise<StoredVirtualMachineImport> {
  const found = await cluster.get(virtualMachineImportKind, ref, options);
  if (found !== undefined) return found;
  const names: string[] = [];
  for await (const { metadata } of cluster.list(virtualMachineImportKind, { ...options, namespace: ref.namespace })) {
    names.push(metadata.name);
    if (names.length > MOST_NAMES) break;
  }
  const shown = [...names.slice(0, MOST_NAMES), ...(names.length > MOST_NAMES ? ['more'] : [])].join(', ');
  const others = names.length === 0 ? 'no import is there' : `there are: ${shown}`;
  throw new ProblemError(
    'ClusterObjectMissing',
    `VirtualMachineImport "${ref.name}" is not in namespace "${ref.namespace ?? ''}"; ${others}`,
  );
}

/** `VirtualMachineImport vms/web01`, as messages name it. */
export function describeImportName({ metadata }: Pick<VirtualMachineImport, 'metadata'>): string {
  return `VirtualMachineImport ${metadata.namespace}/${metadata.name}`;
}
