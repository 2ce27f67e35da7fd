import type { TransferredDisk, UploadAssignment } from '../api/transfer-protocol.ts';
import { checkLateDigestsOf } from '../app/late-digests.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Log } from '../ports/log.ts';
import type { UploadDisk, UploadTicket } from '../ports/upload.ts';
import { findAssignedDisk, limiterOf, openAssignedDisk } from './open-assigned-disk.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { noteContent, refuseChangedSource, refuseOtherContent } from './same-content.ts';
import type { TransferParts } from './transfer-volume.ts';

export interface UploadVolumeParts
  extends Pick<TransferParts, 'client' | 'clock' | 'openSource' | 'createRateLimiter'> {
  readonly log: Log;
  readonly uploadDisk: UploadDisk;
}

/** How often the controller is asked whether CDI is ready, and whether it has the disk. */
const ASK_MS = 2_000;

/**
 * Sends the disk that was assigned to CDI, from its first byte on: CDI keeps nothing of an upload that broke off. Where an earlier run has sent it and could not say so, it is only read once
 * more to be known. Returns when the DataVolume says that it is complete.
 * @throws ProblemError the problems of source and format, `SourceChanged`, `DigestMismatch`, `UploadRefused`, `UploadFailed`, and that the run is over
 */
export async function uploadVolume(
  parts: UploadVolumeParts,
  assignment: UploadAssignment,
  { signal }: CallOptions,
): Promise<TransferredDisk> {
  const { client, clock, log } = parts;
  await using progress = new ProgressReporter({
    clock,
    send: (report, call) => client.reportProgress(report, call),
    checkpointBytes: () => 0,
  });
  const { connections, verify } = assignment;
  await using source = await parts.openSource(assignment.source, { signal, connections });
  const { machine, disk } = await findAssignedDisk(source, assignment, { signal });
  await using reader = await openAssignedDisk(source, machine, disk, { signal });
  const { virtualSizeBytes, format } = reader;

  const ticket = await waitForTicket(parts, { signal });
  if (ticket === undefined) await refuseOtherContent(client, reader, { signal });
  else await noteContent(client, reader, { signal });
  log.info(ticket === undefined ? 'disk is there already' : 'uploading', { name: assignment.upload.name });
  const beganMs = clock.monotonicMs();
  const uploaded = await parts.uploadDisk(reader, {
    ticket,
    rateLimiter: limiterOf(parts, assignment),
    hashesUnlisted: source.lateDigests !== undefined,
    isProven: verify !== 'none',
    onProgress: (doneBytes) => progress.update({ phase: 'copy', doneBytes, totalBytes: virtualSizeBytes }),
    signal,
  });
  await refuseChangedSource(reader, { signal });
  const sentMs = clock.monotonicMs();
  progress.update({ phase: 'finish', doneBytes: virtualSizeBytes, totalBytes: virtualSizeBytes });
  while (!(await client.isTaken({ signal }))) await clock.delay(ASK_MS, { signal });

  const result = {
    format,
    virtualSizeBytes,
    dataBytes: virtualSizeBytes,
    digest: uploaded.digest,
    storedDigests: uploaded.storedDigests,
    fetchedBytes: uploaded.fetchedBytes,
    writtenBytes: uploaded.sentBytes,
    copyMs: sentMs - beganMs,
    verifyMs: clock.monotonicMs() - sentMs,
    resumes: 0,
  };
  return { ...(await checkLateDigestsOf(source, machine, disk, result, { signal })), allocatedBytes: virtualSizeBytes };
}

/** Undefined when the disk is there. */
async function waitForTicket(
  { client, clock }: UploadVolumeParts,
  { signal }: CallOptions,
): Promise<UploadTicket | undefined> {
  while (!(await client.isTaken({ signal }))) {
    const ticket = await client.readUpload({ signal });
    if (ticket !== undefined) return ticket;
    await clock.delay(ASK_MS, { signal });
  }
  return undefined;
}
