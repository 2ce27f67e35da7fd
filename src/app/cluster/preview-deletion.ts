import { persistentVolumeClaimKind } from '../../api/core-kinds.ts';
import { dataVolumeKind, virtualMachineImageKind } from '../../api/platform-kinds.ts';
import { readVirtualMachineImport, type StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import type { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import { findRelatedObjects, type RelatedObject } from './related-objects.ts';
import { verdictOf } from './summarize-import.ts';

/** What a deletion takes away and what it leaves. */
export interface DeletionPreview {
  readonly goes: readonly RelatedObject[];
  readonly stays: readonly RelatedObject[];
  readonly unseen: readonly ProblemError[];
}

/** A volume may lie on its image for ever, and goes with its DataVolume. */
const STAY_WITH_MACHINE = [persistentVolumeClaimKind.kind, dataVolumeKind.kind, virtualMachineImageKind.kind];

/** A machine that was made is its users', and so are its volumes; without one, all that was written goes. The controller removes it, by the same rule. */
export async function previewDeletion(
  cluster: Cluster,
  stored: StoredVirtualMachineImport,
  options: CallOptions = {},
): Promise<DeletionPreview> {
  const { object } = readVirtualMachineImport(stored);
  const { objects, machine, unseen } = await findRelatedObjects(cluster, object, options);
  const hasMachine = machine !== undefined || verdictOf(object) === 'done';
  const isKept = ({ kind }: RelatedObject) =>
    kind === 'VirtualMachine' || (hasMachine && STAY_WITH_MACHINE.includes(kind));
  return { goes: objects.filter((each) => !isKept(each)), stays: objects.filter(isKept), unseen };
}
