import type { SourceAssignment, TransferredDisk, VolumeAssignment } from '../api/transfer-protocol.ts';
import { keepsPartial } from '../app/keeps-partial.ts';
import { checkLateDigestsOf } from '../app/late-digests.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Source } from '../ports/source.ts';
import type { MachineTarget } from '../ports/target.ts';
import type { DataPlane, RateLimiter } from '../ports/transfer.ts';
import type { EndpointClient } from './endpoint-client.ts';
import type { EndpointLink } from './endpoint-link.ts';
import { findAssignedDisk, limiterOf, openAssignedDisk } from './open-assigned-disk.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { RecordKeeper } from './record-keeper.ts';
import { RunAhead } from './run-ahead.ts';

/** What a transfer stands on, chosen in main/. */
export interface TransferParts {
  readonly client: EndpointClient;
  readonly link: EndpointLink;
  readonly clock: Clock;
  /** Between two records that are stored. */
  readonly checkpointEveryMs?: number | undefined;
  openSource(
    source: SourceAssignment['source'],
    options: CallOptions & { readonly connections?: number | undefined },
  ): Promise<Source>;
  openTarget(
    volume: VolumeAssignment['volume'],
    options: {
      readonly verify: VolumeAssignment['verify'];
      readonly state: Pick<RecordKeeper, 'load' | 'save' | 'remove'>;
      readonly onRemark: (remark: string) => void;
    },
  ): Promise<MachineTarget>;
  createDataPlane(options: { readonly connections?: number | undefined }): DataPlane & AsyncDisposable;
  createRateLimiter(bytesPerSecond: number): RateLimiter;
  /** Bytes of the disk that a stored record vouches for; 0 for one that cannot be read. */
  copiedBytesOf(record: Uint8Array): number;
}

export interface TransferSignals {
  readonly signal: AbortSignal;
  /** Aborts later, when even the last words take too long. */
  readonly lateSignal: AbortSignal;
}

/**
 * Copies and verifies the disk that was assigned. Whatever ends it early, what was copied until then is stored with the controller before this throws, or forgotten there where nothing of it is
 * of any use.
 * @throws ProblemError the problems of source, format, engine and volume, and that the run is over
 */
export async function transferVolume(
  parts: TransferParts,
  assignment: VolumeAssignment,
  { signal: stop, lateSignal }: TransferSignals,
): Promise<TransferredDisk> {
  const { client, clock } = parts;
  const failing = new AbortController();
  const signal = AbortSignal.any([stop, failing.signal]);
  let keeper: RecordKeeper | undefined;
  await using progress = new ProgressReporter({
    clock,
    send: (report, call) => client.reportProgress(report, call),
    checkpointBytes: () => keeper?.checkpointBytes ?? 0,
  });
  const { connections } = assignment;
  await using dataPlane = parts.createDataPlane({ connections });
  await using source = await parts.openSource(assignment.source, { signal, connections });
  const { machine, disk } = await findAssignedDisk(source, assignment, { signal });
  await using reader = await openAssignedDisk(source, machine, disk, { signal });

  const ahead = new RunAhead(reader.virtualSizeBytes, { link: parts.link, inner: limiterOf(parts, assignment) });
  await using records = new RecordKeeper({
    client,
    clock,
    everyMs: parts.checkpointEveryMs,
    ahead,
    copiedBytesOf: parts.copiedBytesOf,
    onFailed: (error) => failing.abort(error),
    stored: await client.loadCheckpoint({ signal }),
  });
  keeper = records;
  const onRemark = (remark: string) => progress.remark(remark);
  const { volume, verify } = assignment;
  await using target = await parts.openTarget(volume, { verify, state: records, onRemark });
  try {
    const result = await dataPlane.transferDisk(reader, {
      target,
      index: assignment.disk.index,
      verify,
      signal,
      rateLimiter: ahead,
      hashesUnlisted: source.lateDigests !== undefined,
      onProgress: (each) => {
        if (each.phase === 'copy') ahead.copied(each.doneBytes);
        progress.update(each);
      },
      onRemark,
    });
    const checked = await checkLateDigestsOf(source, machine, disk, result, { signal });
    return { ...checked, allocatedBytes: await target.allocatedBytes(assignment.disk.index) };
  } catch (error) {
    // What kept records from being stored is the cause of all that followed.
    if (failing.signal.aborted) throw failing.signal.reason;
    if (keepsPartial(error)) await records.flush({ signal: lateSignal });
    else await target.discard();
    throw error;
  }
}
