import type { ProofAssignment, TransferredDisk } from '../api/transfer-protocol.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import { ProgressReporter } from './progress-reporter.ts';
import type { TransferParts } from './transfer-volume.ts';

export interface ProveVolumeParts extends Pick<TransferParts, 'client' | 'clock' | 'createDataPlane'> {
  /** The first `virtualSizeBytes` of the worker's volume, or fewer where it has no more. */
  openVolumeDisk(virtualSizeBytes: number, options?: CallOptions): Promise<DiskReader>;
}

/**
 * Reads a volume that was made from an image and compares it with the digest of the disk on its source.
 * @throws ProblemError `VerificationFailed` naming the first bytes that differ, and what reading the volume met
 */
export async function proveVolume(
  { client, clock, createDataPlane, openVolumeDisk }: ProveVolumeParts,
  { proof: { virtualSizeBytes, digest }, volume }: ProofAssignment,
  { signal }: CallOptions,
): Promise<TransferredDisk> {
  await using progress = new ProgressReporter({
    clock,
    send: (report, call) => client.reportProgress(report, call),
    checkpointBytes: () => 0,
  });
  await using dataPlane = createDataPlane({});
  await using reader = await openVolumeDisk(virtualSizeBytes, { signal });
  if (reader.virtualSizeBytes !== virtualSizeBytes) {
    const detail = `${volume.name} has ${reader.virtualSizeBytes} bytes; the disk has ${virtualSizeBytes}`;
    throw new ProblemError('VerificationFailed', detail);
  }
  const beganMs = clock.monotonicMs();
  const differing = await dataPlane.compareDisk(reader, digest, {
    signal,
    onProgress: (doneBytes, totalBytes) => progress.update({ phase: 'verify', doneBytes, totalBytes }),
  });
  const [first] = differing;
  if (first !== undefined) {
    const more = differing.length === 1 ? '' : ` and in ${differing.length - 1} more ranges`;
    const detail = `${volume.name} differs in bytes ${first.offset} to ${first.offset + first.length - 1}${more}`;
    throw new ProblemError('VerificationFailed', detail, { context: { firstOffset: first.offset } });
  }
  return {
    format: reader.format,
    virtualSizeBytes,
    dataBytes: virtualSizeBytes,
    digest,
    storedDigests: [],
    fetchedBytes: 0,
    writtenBytes: 0,
    copyMs: 0,
    verifyMs: clock.monotonicMs() - beganMs,
    resumes: 0,
    allocatedBytes: 0,
  };
}
