import type { Assignment, ProofAssignment, TransferOutcome } from '../api/transfer-protocol.ts';
import { isProblem, ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Log } from '../ports/log.ts';
import { type ProveVolumeParts, proveVolume } from './prove-volume.ts';
import { type ServeImageParts, serveImage } from './serve-image.ts';
import { type TransferParts, transferVolume } from './transfer-volume.ts';
import { type UploadVolumeParts, uploadVolume } from './upload-volume.ts';

export interface WorkerParts extends TransferParts, ServeImageParts, UploadVolumeParts, ProveVolumeParts {
  readonly log: Log;
}

/** How a worker ends. The Job makes no second Pod of any of them; which of them is worth another run, the controller decides by the problem that was posted. */
export const exitCodes = {
  done: 0,
  /** A problem that may pass, or that could not even be posted. */
  failed: 1,
  /** A problem that trying again would not change, or somebody else has the volume: named in the Job's podFailurePolicy. */
  final: 40,
  /** Told to stop; what was copied is saved. */
  interrupted: 143,
} as const;

export interface WorkerEnd {
  readonly exitCode: number;
  /** For whoever looks at the Pod; absent when all is well. */
  readonly message?: string;
}

/** After the signal to stop, until the last checkpoint is given up: the kubelet waits 30 s in all. */
const LAST_WORDS_MS = 15_000;

/** One run: asks what to do, does it, and says how it went. Never throws. */
export async function runWorker(parts: WorkerParts, { signal }: { readonly signal: AbortSignal }): Promise<WorkerEnd> {
  const { client, log } = parts;
  const lateSignal = lateBy(parts, signal);
  try {
    const assignment = await client.readAssignment({ signal });
    log.info('transfer assigned', shown(assignment));
    const outcome = await outcomeOf(parts, assignment, { signal, lateSignal });
    await client.reportOutcome(outcome, { signal: lateSignal });
    return endOf(parts, outcome, signal);
  } catch (error) {
    // Nobody could be told, or nothing was assigned.
    const problem = isProblem(error) ? error : bug(parts, error);
    log.error('transfer not reported', { code: problem.code, detail: problem.message });
    return endWith(problem, signal);
  }
}

/** Fails only when the record could not be brought in order. */
async function outcomeOf(
  parts: WorkerParts,
  assignment: Assignment,
  signals: { readonly signal: AbortSignal; readonly lateSignal: AbortSignal },
): Promise<TransferOutcome> {
  try {
    return await workOn(parts, assignment, signals);
  } catch (error) {
    const problem = isProblem(error) ? error : bug(parts, error);
    // The run is over and has nobody to tell.
    if (problem.code === 'TransferSuperseded' || problem.code === 'TransferUnknown') throw problem;
    // To the command line an interruption is the end; here somebody goes on.
    const code = problem.code === 'Interrupted' ? 'TransferInterrupted' : problem.code;
    return { problem: { code, detail: tell(assignment, problem).slice(0, 4096) } };
  }
}

async function workOn(
  parts: WorkerParts,
  assignment: Assignment,
  signals: { readonly signal: AbortSignal; readonly lateSignal: AbortSignal },
): Promise<TransferOutcome> {
  if ('proof' in assignment) return { result: await proveVolume(parts, assignment, signals) };
  if ('volume' in assignment) return { result: await transferVolume(parts, assignment, signals) };
  const served =
    'upload' in assignment
      ? await uploadVolume(parts, assignment, signals)
      : await serveImage(parts, assignment, signals);
  // Where nothing is to be verified this is the end.
  return assignment.verify === 'none' ? { result: served } : { served };
}

function endOf({ log }: WorkerParts, outcome: TransferOutcome, signal: AbortSignal): WorkerEnd {
  if (!('problem' in outcome)) {
    const { digest, fetchedBytes, writtenBytes, resumes, copyMs, verifyMs } =
      'served' in outcome ? outcome.served : outcome.result;
    log.info('transfer done', { digest: digest?.root, fetchedBytes, writtenBytes, resumes, copyMs, verifyMs });
    return { exitCode: exitCodes.done };
  }
  const { code, detail } = outcome.problem;
  log.error('transfer failed', { code, detail });
  return endWith(new ProblemError(code, detail), signal);
}

function endWith(problem: ProblemError, signal: AbortSignal): WorkerEnd {
  const message = `${problem.code}: ${problem.message}`;
  if (signal.aborted) return { exitCode: exitCodes.interrupted, message };
  return { exitCode: problem.problem.retry === 'never' ? exitCodes.final : exitCodes.failed, message };
}

/** What is no problem that anybody foresaw. Another run may fare better, and nothing in it is worth keeping from being tried. */
function bug({ log }: WorkerParts, error: unknown): ProblemError {
  log.error('unexpected error', { error: error instanceof Error ? error.stack : String(error) });
  return new ProblemError('TransferFailed', error instanceof Error ? error.message : String(error), { cause: error });
}

/** What was read through the endpoint is named as what it is. */
function tell(assignment: Assignment, { message }: ProblemError): string {
  if (!('source' in assignment) || !('relay' in assignment.source)) return message;
  const { location } = assignment.source.relay;
  const folder = location.slice(0, location.lastIndexOf('/') + 1);
  return message.replaceAll(/https:\/\/[^\s"]*\/source\//g, () => folder);
}

function shown(assignment: Assignment) {
  if (!('source' in assignment)) return { proven: assignment.volume.name };
  const { source, machine, disk, verify } = assignment;
  const from = 'relay' in source ? { source: source.relay.location, relayed: true } : { source: source.ova.url };
  return { ...from, machine, disk: disk.id, ...shownTarget(assignment), verify };
}

function shownTarget(assignment: Exclude<Assignment, ProofAssignment>) {
  if ('image' in assignment) return { image: assignment.image.name };
  return 'upload' in assignment ? { upload: assignment.upload.name } : { volume: assignment.volume.name };
}

/** Aborts some time after the other one: for what still has to be said then. */
function lateBy({ clock }: WorkerParts, signal: AbortSignal): AbortSignal {
  const late = new AbortController();
  const start = async ({ signal: stop }: CallOptions = {}) => {
    await clock.delay(LAST_WORDS_MS, { signal: stop });
    late.abort(signal.reason);
  };
  signal.addEventListener('abort', () => void start(), { once: true });
  if (signal.aborted) void start();
  return late.signal;
}
