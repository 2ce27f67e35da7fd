import { type StoredVirtualMachineImport, virtualMachineImportKind } from '../../api/virtual-machine-import.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { refuseEnded } from './change-import.ts';
import { describeImportName } from './find-import.ts';
import type { DeletionPreview } from './preview-deletion.ts';

/** Only the object that was looked at; what it made is removed by the controller. */
export async function deleteImport(
  cluster: Cluster,
  stored: StoredVirtualMachineImport,
  options: CallOptions = {},
): Promise<void> {
  await cluster.delete(virtualMachineImportKind, refOf(stored), { ...options, uid: stored.metadata.uid });
}

/**
 * To cancel is to leave nothing. What would stay after a deletion is the users' already.
 * @throws ProblemError `ImportFinished`
 */
export function refuseToCancel(stored: StoredVirtualMachineImport, { stays }: Pick<DeletionPreview, 'stays'>): void {
  refuseEnded(stored);
  const machine = stays.find(({ kind }) => kind === 'VirtualMachine');
  if (machine === undefined) return;
  throw new ProblemError(
    'ImportFinished',
    `${describeImportName(stored)} has made the machine ${machine.name} already; \`airlift delete\` would leave that and its volumes`,
  );
}
