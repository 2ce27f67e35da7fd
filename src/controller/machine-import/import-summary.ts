import type { StoredVirtualMachineImport } from '../../api/virtual-machine-import.ts';
import { historyOf, isOver } from './history.ts';

/** What is kept of each of the cluster's imports: ten thousand have to be small. */
export interface ImportSummary {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the machine it makes; undefined while that is not decided, which preflight does. */
  readonly targetName: string | undefined;
  readonly createdAt: string;
  /** As `status.progress.phase`; `Pending` before anybody has looked. */
  readonly phase: string;
  /** `ovasource/vms/app`: what it reads from; undefined when it names nothing. */
  readonly source: string | undefined;
  /** Done or given up, by whichever controller. */
  readonly isFinished: boolean;
  /** Finished, and nobody asks for anything: not even looking at it is of use. */
  readonly isSettled: boolean;
}

export function summarizeImport(stored: StoredVirtualMachineImport): ImportSummary {
  const { metadata, spec, status } = stored;
  const isFinished = isOver(historyOf(stored));
  const isRetryAsked = spec?.retry != null && spec.retry !== status?.progress?.retry;
  return {
    uid: metadata.uid ?? '',
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    targetName: status?.importedVirtualMachineName ?? undefined,
    createdAt: metadata.creationTimestamp ?? '',
    phase: status?.progress?.phase ?? 'Pending',
    source: sourceOf(stored),
    isFinished,
    isSettled: isFinished && !isRetryAsked && metadata.deletionTimestamp === undefined,
  };
}

function sourceOf({ spec }: StoredVirtualMachineImport): string | undefined {
  const { kind, namespace, name } = spec?.sourceCluster ?? {};
  return kind && namespace && name ? `${kind.toLowerCase()}/${namespace}/${name}` : undefined;
}
