import {
  readVirtualMachineImport,
  type StoredVirtualMachineImport,
  virtualMachineImportKind,
} from '../../api/virtual-machine-import.ts';
import { refOf } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster, JsonObject } from '../../ports/cluster.ts';
import { describeImportName } from './find-import.ts';
import { verdictOf } from './summarize-import.ts';

/**
 * Begins a stalled or failed import anew.
 * @param now milliseconds since the epoch: the new value of `spec.retry`
 * @throws ProblemError `ImportFinished`
 */
export async function retryImport(
  cluster: Cluster,
  stored: StoredVirtualMachineImport,
  now: number,
  options: CallOptions = {},
): Promise<StoredVirtualMachineImport> {
  refuseFinished(stored);
  return await patchSpec(cluster, stored, { retry: new Date(now).toISOString() }, options);
}

/**
 * Stops an import's transfers where they are, or lets them go on.
 * @throws ProblemError `ImportFinished`
 */
export async function suspendImport(
  cluster: Cluster,
  stored: StoredVirtualMachineImport,
  suspend: boolean,
  options: CallOptions = {},
): Promise<StoredVirtualMachineImport> {
  refuseEnded(stored);
  return await patchSpec(cluster, stored, { suspend }, options);
}

/**
 * What the old controller ended without a machine may begin anew, when somebody asks for it (ruling 15); apart from that there is nothing to change in it.
 * @throws ProblemError `ImportFinished`
 */
export function refuseEnded(stored: StoredVirtualMachineImport): void {
  refuseFinished(stored);
  const { object } = readVirtualMachineImport(stored);
  const { importStatus, progress } = object.status;
  if (verdictOf(object) === 'open' || progress !== undefined) return;
  const name = describeImportName(object);
  const detail = `${name} was ended by the old controller (${importStatus}); \`airlift retry ${object.metadata.name}\` begins it anew`;
  throw new ProblemError('ImportFinished', detail);
}

/**
 * To begin a finished import anew would take away the volumes of a machine that people use.
 * @throws ProblemError `ImportFinished`
 */
function refuseFinished(stored: StoredVirtualMachineImport): void {
  const { object } = readVirtualMachineImport(stored);
  if (verdictOf(object) !== 'done' && object.status.progress?.finishedAt === undefined) return;
  throw new ProblemError(
    'ImportFinished',
    `${describeImportName(object)} is done; its machine is ${machineOf(object)}`,
  );
}

function machineOf({ status }: { readonly status: { readonly importedVirtualMachineName?: string | undefined } }) {
  return status.importedVirtualMachineName ?? 'not known';
}

/** Only of the object that was looked at: another one of its name may be anything. */
async function patchSpec(
  cluster: Cluster,
  stored: StoredVirtualMachineImport,
  spec: JsonObject,
  options: CallOptions,
): Promise<StoredVirtualMachineImport> {
  const { uid } = stored.metadata;
  return await cluster.patch(
    virtualMachineImportKind,
    refOf(stored),
    { ...(uid === undefined ? {} : { metadata: { uid } }), spec },
    options,
  );
}
