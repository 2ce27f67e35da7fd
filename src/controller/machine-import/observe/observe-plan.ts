import { type ConfigMap, configMapKind } from '../../../api/core-kinds.ts';
import type { VirtualMachineImport } from '../../../api/virtual-machine-import.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import { historyOf } from '../history.ts';
import type { ImportParts } from '../import-world.ts';
import { namesOf } from '../names.ts';
import { decodePlan, type PlanRecord } from '../plan-record.ts';

/** The plan in force; undefined before preflight passed. */
export async function observePlan(
  parts: ImportParts,
  machineImport: VirtualMachineImport,
  options: CallOptions,
): Promise<PlanRecord | undefined> {
  const { uid = '', namespace = '' } = machineImport.metadata;
  const known = parts.preflights.get(uid)?.plan;
  if (known !== undefined || historyOf(machineImport) !== 'ours') return known;
  const stored: ConfigMap | undefined = await parts.cluster.get(
    configMapKind,
    { namespace, name: namesOf(uid).plan },
    options,
  );
  const plan = stored && decodePlan(stored);
  if (plan !== undefined) {
    const { specHash, ranAt, findings } = plan;
    parts.preflights.set(uid, { specHash, ranAt, findings, plan });
  }
  return plan;
}
