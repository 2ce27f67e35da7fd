import { importStatuses } from '../../api/literals.ts';
import type { ImportHistory } from '../../domain/next-action.ts';

/** As much of an import as tells who worked on it. As stored, where upstream writes null for nothing. */
interface StatusSeen {
  readonly status?:
    | {
        readonly importStatus?: string | null | undefined;
        readonly progress?:
          | { readonly finishedAt?: string | null | undefined; readonly disks?: readonly unknown[] | null | undefined }
          | null
          | undefined;
      }
    | null
    | undefined;
}

/** True for what is over unless somebody asks for it anew. */
export function isOver(history: ImportHistory): boolean {
  return history === 'finished' || history === 'givenUp';
}

/** Ruling 15: states of upstream that come without our record are upstream's work. */
export function historyOf({ status }: StatusSeen): ImportHistory {
  const { progress, importStatus } = status ?? {};
  if (progress?.finishedAt != null) return 'finished';
  // Our word on it does not make it ours before there is a plan: until then nothing but the state tells that there are images.
  const isPlanned = progress?.disks != null || importStatus !== importStatuses.imagesReady;
  if (progress != null && isPlanned) return 'ours';
  switch (importStatus ?? '') {
    case '':
      return 'ours';
    case importStatuses.machineRunning:
      return 'finished';
    case importStatuses.invalid:
    case importStatuses.failed:
      return 'givenUp';
    case importStatuses.imagesReady:
      return 'imagesReady';
    case importStatuses.machineCreated:
      return 'machineCreated';
    default:
      return 'restart';
  }
}
