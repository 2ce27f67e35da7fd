import { importStatuses } from '../../../api/literals.ts';
import { type VirtualMachine, virtualMachineKind } from '../../../api/platform-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { ObservedMachine } from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { ImportParts } from '../import-world.ts';
import type { PlanRecord } from '../plan-record.ts';
import { foreignTo } from '../preflight/rival.ts';

/** The machine that the import makes, or somebody else's of its name. */
export async function observeMachine(
  { cluster, objects }: ImportParts,
  { metadata, spec, status }: VirtualMachineImport,
  plan: PlanRecord | undefined,
  options: CallOptions,
): Promise<ObservedMachine> {
  const name = plan?.targetName ?? status.importedVirtualMachineName;
  const { uid, namespace = '' } = metadata;
  if (name === undefined) return { state: 'absent' };
  const known = objects.machine(namespace, name);
  const machine = known ?? (await cluster.get(virtualMachineKind, { namespace, name }, options));
  if (machine === undefined) return { state: 'absent' };
  const isUpstreams = status.progress === undefined && status.importStatus === importStatuses.machineCreated;
  const thing = `VirtualMachine "${name}" in namespace "${namespace}"`;
  const foreign = isUpstreams ? undefined : foreignTo(uid, machine, thing, { objects, otherwise: 'MachineExists' });
  if (foreign !== undefined) return { state: 'foreign', ...foreign };
  const message = machineMessage(machine);
  return {
    state: 'created',
    createdAt: Date.parse(machine.metadata.creationTimestamp ?? '') || 0,
    mayRun: spec.run,
    isReady: machine.status?.ready === true,
    ...(message === undefined ? {} : { message }),
  };
}

function machineMessage({ status }: VirtualMachine): string | undefined {
  const wrong = status?.conditions?.find(({ type, status: is, message }) => {
    const isBad = type === 'Failure' ? is === 'True' : type === 'Ready' && is === 'False';
    return isBad && message !== undefined;
  });
  const state = status?.printableStatus;
  if (state === undefined && wrong?.message === undefined) return undefined;
  return [state, wrong?.message].filter((each) => each !== undefined).join(': ');
}
