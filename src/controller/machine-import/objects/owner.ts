import { API_VERSION } from '../../../api/literals.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { OwnerReference } from '../../../domain/kubernetes-object.ts';

/** By which what an import makes goes with it. */
export function ownerOf({
  metadata,
}: {
  readonly metadata: Pick<VirtualMachineImport['metadata'], 'name' | 'uid'>;
}): OwnerReference {
  const { name, uid = '' } = metadata;
  return {
    apiVersion: API_VERSION,
    kind: 'VirtualMachineImport',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
