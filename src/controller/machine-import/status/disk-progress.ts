import type { DiskProgress, ImportProgress } from '../../../api/virtual-machine-import.ts';
import type { ObservedDisk, ObservedImport } from '../../../domain/next-action.ts';
import { problems } from '../../../domain/problems.ts';
import type { DiskPlan } from '../plan-record.ts';
import type { TransferResult } from '../transfers/transfer-record.ts';
import type { LiveProgress } from './status-facts.ts';

/** How far one disk is. What nobody tells any more stays as it was last told. */
export function diskProgressOf(
  plan: DiskPlan,
  { disks }: ObservedImport,
  before: ImportProgress,
  { live, result }: { readonly live: LiveProgress | undefined; readonly result: TransferResult | undefined },
): DiskProgress {
  const { index, id, name, claimName, virtualSizeBytes, dataBytes } = plan;
  const seen = disks.find((each) => each.index === index);
  const told = before.disks?.find((each) => each.index === index);
  const doneBytes = result?.dataBytes ?? live?.doneBytes ?? told?.doneBytes;
  const totalBytes = result?.dataBytes ?? live?.totalBytes ?? dataBytes ?? told?.totalBytes;
  const problem = seen?.isDone ? undefined : seen?.transfer?.problem;
  const digestRoot = result?.digest?.root ?? told?.digestRoot;
  const node = live?.node ?? told?.node;
  return {
    index,
    id,
    name,
    claimName,
    virtualSizeBytes,
    ...(dataBytes === undefined ? {} : { dataBytes }),
    ...(doneBytes === undefined ? {} : { doneBytes }),
    ...(totalBytes === undefined ? {} : { totalBytes }),
    phase: diskPhase(seen, live),
    ...(seen === undefined || seen.epoch === 0 ? {} : { epoch: seen.epoch }),
    ...(seen?.transfer === undefined || seen.transfer.failures === 0 ? {} : { attempt: seen.transfer.failures }),
    ...(node === undefined ? {} : { node }),
    ...(problem === undefined ? {} : { reason: problem.code, message: problem.message }),
    ...(live === undefined
      ? told?.lastProgressTime === undefined
        ? {}
        : { lastProgressTime: told.lastProgressTime }
      : { lastProgressTime: new Date(live.at).toISOString() }),
    ...(digestRoot === undefined ? {} : { digestRoot }),
  };
}

function diskPhase(seen: ObservedDisk | undefined, live: LiveProgress | undefined): NonNullable<DiskProgress['phase']> {
  if (seen === undefined) return 'Pending';
  if (seen.isDone) return 'Done';
  const { transfer } = seen;
  if (transfer === undefined) return seen.queuedFor === undefined ? 'Pending' : 'Queued';
  switch (transfer.state) {
    case 'pending':
      return 'Starting';
    case 'stopping':
      return 'Stopping';
    case 'failed':
      return transfer.problem !== undefined && problems[transfer.problem.code].retry === 'never'
        ? 'Failed'
        : 'Retrying';
    default:
      return live?.phase === 'verify' ? 'Verifying' : 'Transferring';
  }
}
