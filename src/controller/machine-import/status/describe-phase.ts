import { type ImportStatus, importStatuses } from '../../../api/literals.ts';
import type { ImportProgress } from '../../../api/virtual-machine-import.ts';
import { isBlocker } from '../../../domain/finding.ts';
import type { ObservedImport } from '../../../domain/next-action.ts';
import { type ProblemCode, problems } from '../../../domain/problems.ts';
import type { StatusFacts } from './status-facts.ts';

interface Description {
  readonly phase: NonNullable<ImportProgress['phase']>;
  readonly reason: string;
  readonly message?: string | undefined;
  /** Whose remedy is the next step. */
  readonly code?: ProblemCode | undefined;
}

/** In which phase an import is, and why it does not go on. */
export function describePhase(
  { seen, action, findings }: StatusFacts,
  importStatus: ImportStatus | undefined,
): Description {
  switch (action.type) {
    case 'none':
      if (action.reason === 'Suspended')
        return { phase: 'Suspended', reason: 'Suspended', message: 'spec.suspend is set' };
      return { phase: action.reason === 'Deleted' ? 'Deleting' : 'Finished', reason: action.reason };
    case 'stall': {
      const { code, message } = action;
      const isFinal = problems[code].retry === 'never' && !findings.some(isBlocker);
      return { phase: isFinal ? 'Failed' : 'Stalled', reason: code, message, code };
    }
    case 'wait':
      return { phase: waitingPhases[action.reason], reason: action.reason, message: action.message, code: action.code };
    case 'cleanUp':
    case 'removeFinalizer':
      return { phase: 'Deleting', reason: 'CleaningUp' };
    case 'addFinalizer':
    case 'restart':
      return { phase: 'Pending', reason: 'Beginning' };
    case 'runPreflight':
      return { phase: 'Preflight', reason: 'Looking' };
    case 'createVolume':
      return { phase: 'Provisioning', reason: 'CreatingVolumes' };
    case 'shutDownSource':
    case 'powerOffSource':
      return { phase: 'PoweringOff', reason: 'SourcePoweringOff' };
    case 'startTransfer':
      return { phase: 'Transferring', reason: 'TransferStarting' };
    case 'createImage':
      return { phase: 'Transferring', reason: 'CreatingImages' };
    case 'giveUpImage':
      return { phase: 'Transferring', reason: action.code, message: action.message, code: action.code };
    case 'stopTransfers':
      return { phase: 'Suspended', reason: 'TransferStopping' };
    case 'createMachine':
      return { phase: 'CreatingMachine', reason: 'CreatingMachine' };
    case 'finish':
      // Not before upstream's last word, or a watcher would miss it.
      if (importStatus !== importStatuses.machineRunning) return { phase: 'StartingMachine', reason: 'MachineReady' };
      return { phase: 'Finished', reason: 'Complete', message: finishedMessage(seen) };
  }
}

const waitingPhases = {
  CleaningUp: 'Deleting',
  SourcePoweringOff: 'PoweringOff',
  TransferStopping: 'Suspended',
  TransferQueued: 'Transferring',
  TransferRunning: 'Transferring',
  TransferRetrying: 'Transferring',
  DisksTransferred: 'CreatingMachine',
  MachineStarting: 'StartingMachine',
} as const;

function finishedMessage({ machine }: ObservedImport): string {
  return machine.state === 'created' && !machine.mayRun
    ? 'the machine is complete and off, as spec.run asks'
    : 'the machine is complete and runs';
}
