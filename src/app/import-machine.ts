import { isBlocker } from '../domain/finding.ts';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { DiskReader } from '../ports/disk-reader.ts';
import type { Source } from '../ports/source.ts';
import type { MachineTarget, Target } from '../ports/target.ts';
import { buildReport } from './build-report.ts';
import { emptyDisk } from './empty-disk.ts';
import type { ImportMachineOptions, ImportOutcome, ImportParts, TransferredDisk } from './import-parts.ts';
import type { ImportPlan, PlannedDisk } from './import-plan.ts';
import { ProgressTracker } from './import-progress.ts';
import { keepsPartial } from './keeps-partial.ts';
import { checkLateDigests } from './late-digests.ts';
import { renderMachineManifest } from './machine-manifest.ts';
import { renderReport } from './render-report.ts';

/**
 * Does what the plan says: copies disk after disk, verifies them, writes manifest and report and gives the result its final name. Running it again after an interruption
 * continues. A problem that no retry can cure removes the partial result; any other keeps it (ruling 8).
 * @throws ProblemError the first blocker of the plan, and what transferring meets
 */
export async function importMachine(
  parts: ImportParts,
  source: Source,
  target: Target,
  plan: ImportPlan,
  options: ImportMachineOptions,
): Promise<ImportOutcome> {
  const blocker = plan.findings.find(isBlocker);
  if (blocker !== undefined) throw new ProblemError(blocker.code, blocker.message);

  const startedAt = parts.clock.now();
  const restart = options.restart ?? false;
  await using place = await target.openMachine(plan.targetName, { signal: options.signal, restart });
  if (place.isContinued) options.onRemark?.(`continuing what an earlier run left in ${place.partialLocation}`);
  try {
    const disks = await transferDisks(parts, source, place, plan, options);
    const report = buildReport({ parts, plan, target, place, options, startedAt, disks });
    const manifest = renderMachineManifest(
      plan.mapped,
      report.disks.map(({ file, virtualSizeBytes, format }) => ({ fileName: file, virtualSizeBytes, format })),
    );
    const documents = [
      { name: 'machine.yaml', text: manifest },
      { name: 'report.json', text: `${JSON.stringify(report, undefined, 2)}\n` },
      { name: 'report.md', text: renderReport(report) },
    ];
    await place.finish(documents, { onRemark: options.onRemark });
    return { location: place.location, report };
  } catch (error) {
    if (!keepsPartial(error)) {
      // What went wrong first is the answer; that something is left as well is only a remark.
      await place
        .discard()
        .catch((late: unknown) => options.onRemark?.(`${place.partialLocation} could not be removed: ${String(late)}`));
    }
    throw error;
  }
}

async function transferDisks(
  parts: ImportParts,
  source: Source,
  place: MachineTarget,
  plan: ImportPlan,
  options: ImportMachineOptions,
): Promise<TransferredDisk[]> {
  const tracker = new ProgressTracker(
    parts.clock,
    plan.disks.map(({ index, allocation }) => ({
      name: place.diskFileName(index),
      dataBytes: allocation.kind === 'unknown' ? undefined : allocation.bytes,
    })),
  );
  const transfer = async (planned: PlannedDisk, { signal }: CallOptions): Promise<TransferredDisk> => {
    await using reader = await openDisk(source, plan, planned, { signal });
    const result = await parts.dataPlane.transferDisk(reader, {
      target: place,
      index: planned.index,
      verify: options.verify,
      signal,
      rateLimiter: options.rateLimiter,
      hashesUnlisted: source.lateDigests !== undefined,
      onProgress: (progress) => options.onProgress?.(tracker.update(planned.index, progress)),
      onRemark: options.onRemark,
    });
    return { planned, result, allocatedBytes: await place.allocatedBytes(planned.index) };
  };
  const done = source.isStreamed
    ? await inTurn(plan.disks, (planned) =>
        parts.diskSlots.run(plan.targetName, () => transfer(planned, options), options),
      )
    : await atOnce(plan.disks, options.signal, (planned, call) =>
        parts.diskSlots.run(plan.targetName, () => transfer(planned, call), call),
      );
  const checked = await checkLateDigests(source, plan, done, options);
  return checked.toSorted((a, b) => a.planned.index - b.planned.index);
}

/** A streamed source goes past each disk once, in the order of the archive, which the source's list of disks need not have. */
async function inTurn(
  disks: readonly PlannedDisk[],
  transfer: (disk: PlannedDisk) => Promise<TransferredDisk>,
): Promise<TransferredDisk[]> {
  const done: TransferredDisk[] = [];
  for (const disk of inReadingOrder(disks)) done.push(await transfer(disk));
  return done;
}

/** All disks as soon as there is a place for each. The first failure stops the others, which are awaited: what they throw is only its consequence. */
async function atOnce(
  disks: readonly PlannedDisk[],
  signal: AbortSignal | undefined,
  transfer: (disk: PlannedDisk, options: CallOptions) => Promise<TransferredDisk>,
): Promise<TransferredDisk[]> {
  const stop = new AbortController();
  const call = { signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]) };
  let failure: { readonly error: unknown } | undefined;
  const done = await Promise.all(
    disks.map(async (disk) => {
      try {
        return await transfer(disk, call);
      } catch (error) {
        failure ??= { error };
        // Stopped as by the user: what is done of the other disks is kept in their checkpoints.
        stop.abort(new ProblemError('Interrupted', 'another disk of the machine failed', { cause: error }));
        return undefined;
      }
    }),
  );
  if (failure !== undefined) throw failure.error;
  return done.filter((each) => each !== undefined);
}

function inReadingOrder(disks: readonly PlannedDisk[]): PlannedDisk[] {
  return disks.toSorted((a, b) => (a.disk.readingOrder ?? a.index) - (b.disk.readingOrder ?? b.index));
}

async function openDisk(
  source: Source,
  plan: ImportPlan,
  planned: PlannedDisk,
  options: CallOptions,
): Promise<DiskReader> {
  if (planned.disk.fileName === undefined) return emptyDisk(planned.virtualSizeBytes);
  return source.openDisk(plan.machine, planned.disk, { signal: options.signal });
}
