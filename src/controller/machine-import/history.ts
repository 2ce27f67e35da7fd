import { importStatuses } from '../../api/literals.ts';
import type { ImportHistory } from '../../domain/next-action.ts';

/** As much of an import as tells who worked on it. As stored, where upstream writes null for nothing. */
interface StatusSeen {
  readonly status?:
    | {
        readonly importStatus?: string | null | undefined;
        readonly progress?: { readonly finishedAt?: string | null | undefined } | null | undefined;
      }
    | null
    | undefined;
}

/** Ruling 15: states of upstream that come without our record are upstream's work. */
export function historyOf({ status }: StatusSeen): ImportHistory {
  const { progress, importStatus } = status ?? {};
  if (progress?.finishedAt != null) return 'finished';
  if (progress != null) return 'ours';
  switch (importStatus ?? '') {
    case '':
      return 'ours';
    case importStatuses.machineRunning:
    case importStatuses.invalid:
    case importStatuses.failed:
      return 'finished';
    case importStatuses.imagesReady:
      return 'imagesReady';
    case importStatuses.machineCreated:
      return 'machineCreated';
    default:
      return 'restart';
  }
}
