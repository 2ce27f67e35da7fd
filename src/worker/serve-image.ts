import type { ImageAssignment, TransferredDisk } from '../api/transfer-protocol.ts';
import { checkLateDigestsOf } from '../app/late-digests.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Log } from '../ports/log.ts';
import type { ServedImage, ServeImage } from '../ports/served-image.ts';
import { findAssignedDisk, limiterOf, openAssignedDisk } from './open-assigned-disk.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { refuseChangedSource, refuseOtherContent } from './same-content.ts';
import type { TransferParts } from './transfer-volume.ts';

export interface ServeImageParts extends Pick<TransferParts, 'client' | 'clock' | 'openSource' | 'createRateLimiter'> {
  readonly log: Log;
  readonly serveImage: ServeImage;
}

/** How often the controller is asked whether the download is over. */
const ASK_MS = 2_000;

/**
 * Serves the disk that was assigned as a file, for as long as somebody downloads it; then computes its digest, against which the volume made of the download is proven. What was
 * served before the source changed and what is served after it are never put together: the first run leaves the content's identity with the controller.
 * @throws ProblemError the problems of source and format, `SourceChanged`, `DigestMismatch`, and that the run is over
 */
export async function serveImage(
  parts: ServeImageParts,
  assignment: ImageAssignment,
  { signal: stop }: { readonly signal: AbortSignal },
): Promise<TransferredDisk> {
  const { client, clock, log } = parts;
  const failing = new AbortController();
  const signal = AbortSignal.any([stop, failing.signal]);
  try {
    await using progress = new ProgressReporter({
      clock,
      send: (report, call) => client.reportProgress(report, call),
      checkpointBytes: () => 0,
    });
    const { connections, image: named, verify } = assignment;
    await using source = await parts.openSource(assignment.source, { signal, connections });
    const { machine, disk } = await findAssignedDisk(source, assignment, { signal });
    await using reader = await openAssignedDisk(source, machine, disk, { signal });
    await refuseOtherContent(client, reader, { signal });

    const beganMs = clock.monotonicMs();
    let totalBytes: number | undefined;
    await using image = await parts.serveImage(reader, {
      token: named.token,
      port: named.port,
      rateLimiter: limiterOf(parts, assignment),
      hashesUnlisted: source.lateDigests !== undefined,
      onProgress: (doneBytes) => progress.update({ phase: 'serve', doneBytes, totalBytes }),
      onFailure: (error) => {
        // What another download would meet again ends the run; of the rest the downloader's own retry takes care.
        if (isProblem(error) && error.problem.retry === 'never') failing.abort(error);
        else log.warn('download broke off', { image: named.name, error: String(error) });
      },
      signal,
    });
    totalBytes = image.dataBytes;
    log.info('image is served', { image: named.name, format: image.format, sizeBytes: image.sizeBytes });
    progress.update({ phase: 'serve', doneBytes: 0, totalBytes });
    while (!(await client.isTaken({ signal }))) await clock.delay(ASK_MS, { signal });

    const takenMs = clock.monotonicMs();
    progress.update({ phase: 'verify', doneBytes: 0, totalBytes });
    const proof = verify === 'none' ? { storedDigests: [] } : await proveImage(image, { signal });
    await refuseChangedSource(reader, { signal });
    const result = {
      format: reader.format,
      virtualSizeBytes: reader.virtualSizeBytes,
      dataBytes: image.dataBytes,
      ...proof,
      fetchedBytes: image.fetchedBytes,
      writtenBytes: image.sizeBytes,
      copyMs: takenMs - beganMs,
      verifyMs: clock.monotonicMs() - takenMs,
      resumes: 0,
    };
    return {
      ...(await checkLateDigestsOf(source, machine, disk, result, { signal })),
      allocatedBytes: image.dataBytes,
    };
  } catch (error) {
    // What a download met is the cause of all that followed.
    if (failing.signal.aborted && !stop.aborted) throw failing.signal.reason;
    throw error;
  }
}

async function proveImage(image: ServedImage, options: CallOptions) {
  return { digest: await image.digest(options), storedDigests: await image.compareStored(options) };
}
