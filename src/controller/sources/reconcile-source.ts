import { type KubernetesObject, refOf } from '../../domain/kubernetes-object.ts';
import { isProblem, ProblemError, problems } from '../../domain/problems.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Requeue } from '../../lib/work-queue.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { ResolvedSource, SourceAdapter } from '../../ports/source-adapter.ts';
import { isOvertaken } from '../machine-import/reconcile.ts';
import { statusPatch } from '../status-patch.ts';
import { readSecretOf } from './read-secret.ts';
import { type SourceRef, type SourceStatusFields, sourceKey, sourceKinds } from './source-kinds.ts';
import { deriveSourceStatus, readinessOf, type SourceVerdict } from './source-status.ts';

export interface SourceParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** By the lower-cased name of their kind. */
  readonly adapters: ReadonlyMap<string, SourceAdapter>;
  readonly events: SourceEvents;
  /** A source was found to be ready, and was not known to be, or was another one before. */
  readonly onReady?: ((ref: SourceRef) => void) | undefined;
  /** Filled here, and empty at first; belongs to one controller. */
  readonly looks: Map<string, LastLook>;
}

export interface SourceEvents {
  record(
    about: KubernetesObject,
    event: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
  ): void;
}

export interface LastLook {
  /** What was looked at; with anything else, what it came to counts no more. */
  readonly basis: string;
  /** In a row. */
  readonly failures: number;
  /** When to look again, on the clock that never jumps. */
  readonly dueMs: number;
}

/** How old the word on a source that is ready may get; and how often a word that stays the same is dated anew. */
const REFRESH_MS = 600_000;
const BACKOFF = { firstMs: 5_000, capMs: 300_000 };

/**
 * Looks at one source, when it is time to, and says what it found (W26): at once after a change of its spec or Secret, every ten minutes while it is ready, with growing pauses while it is
 * not. Called in between, for whatever reason, it only reads the object and its Secret. Nothing is written that says nothing new, except its time every ten minutes.
 * @throws ProblemError when the cluster could not be asked
 */
export async function reconcileSource(parts: SourceParts, ref: SourceRef, options: CallOptions = {}): Promise<Requeue> {
  const { cluster, clock, looks } = parts;
  const { resource, read } = sourceKinds[ref.kind];
  const key = sourceKey(ref);
  const stored = await cluster.get(resource, ref, options);
  if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) {
    looks.delete(key);
    return undefined;
  }
  const { spec, status } = read(stored).object;
  const { uid = '', generation = 0 } = stored.metadata;
  const adapter = parts.adapters.get(ref.kind.toLowerCase());
  if (adapter === undefined) {
    const verdict = verdictOf(unsupported(ref, parts.adapters));
    const look = { verdict, generation, secretVersion: undefined, nowMs: clock.now() };
    await report(parts, stored, status, { look, isDated: false }, options);
    return undefined; // until the controller is another one
  }

  const resolved = await adapter.resolve(stored, readSecretOf(cluster), options).catch(toProblem);
  const what = resolved instanceof ProblemError ? `${resolved.code} ${resolved.message}` : resolved.secretVersion;
  const basis = JSON.stringify([uid, generation, what]);
  const before = looks.get(key) ?? earlierLook(parts, status, { basis, generation, resolved });
  const waitMs = before?.basis === basis ? before.dueMs - clock.monotonicMs() : 0;
  if (waitMs > 0) return { afterMs: waitMs };

  const isInsecure = spec.insecureSkipTLSVerify;
  const { verdict, problem } = await lookAt(resolved, isInsecure, options);
  const secretVersion = resolved instanceof ProblemError ? undefined : resolved.secretVersion;
  const look = { verdict, generation, secretVersion, nowMs: clock.now() };
  try {
    await report(parts, stored, status, { look, isDated: true }, options);
  } catch (error) {
    // What was looked at is not what there is now.
    if (isOvertaken(error)) return { afterMs: 0 };
    throw error;
  }
  const failures = verdict.isReady ? 0 : before?.basis === basis ? before.failures + 1 : 1;
  const afterMs = verdict.isReady ? REFRESH_MS : pauseMs(failures, problem, parts.random);
  looks.set(key, { basis, failures, dueMs: clock.monotonicMs() + afterMs });
  if (verdict.isReady && (before?.basis !== basis || before.failures > 0)) parts.onReady?.(ref);
  return { afterMs };
}

async function lookAt(
  resolved: ResolvedSource | ProblemError,
  isInsecure: boolean,
  options: CallOptions,
): Promise<{ readonly verdict: SourceVerdict; readonly problem: ProblemError | undefined }> {
  const problem =
    resolved instanceof ProblemError ? resolved : await resolved.check(options).then(noProblem, toProblem);
  if (problem !== undefined) return { verdict: verdictOf(problem), problem };
  const { location } = resolved as ResolvedSource;
  if (!isInsecure || !location.startsWith('https:'))
    return { verdict: { isReady: true, code: undefined, message: `${location} answers` }, problem };
  const message = `${location} answers; nothing proves that it is the server it should be, because spec.insecureSkipTLSVerify is set`;
  return { verdict: { isReady: true, code: 'SourceTlsUnverified', message }, problem };
}

interface Report {
  readonly look: Parameters<typeof deriveSourceStatus>[1];
  /** Whether an old time is a reason to write. */
  readonly isDated: boolean;
}

async function report(
  { cluster, events }: SourceParts,
  stored: KubernetesObject & { readonly status?: object | null },
  before: SourceStatusFields,
  { look, isDated }: Report,
  options: CallOptions,
): Promise<void> {
  const kind = stored.kind as SourceRef['kind'];
  const after = deriveSourceStatus(before, look);
  const { time } = before.check ?? {};
  const undated = { ...after, check: { ...after.check, time } };
  const isNew = statusPatch(stored.status ?? {}, { ...stored.status, ...undated }) !== undefined;
  const ageMs = look.nowMs - Date.parse(time ?? '');
  const isFresh = ageMs >= 0 && ageMs < REFRESH_MS;
  if (!isNew && (isFresh || !isDated)) return;
  const status = statusPatch(stored.status ?? {}, { ...stored.status, ...after });
  if (status === undefined) return;
  const { resourceVersion } = stored.metadata;
  const metadata = resourceVersion === undefined ? {} : { metadata: { resourceVersion } };
  const patch = { ...metadata, status };
  await cluster.patch(sourceKinds[kind].resource, refOf(stored), patch, { ...options, subresource: 'status' });
  if (readinessOf(before) !== look.verdict.isReady) events.record(stored, eventOf(look.verdict));
}

function eventOf({ code, message }: SourceVerdict): Parameters<SourceEvents['record']>[1] {
  if (code === undefined) return { type: 'Normal', reason: 'SourceReady', message };
  return { type: 'Warning', reason: code, message: `${message}. ${problems[code].remedy}` };
}

/** What an earlier controller wrote about the very same spec and Secret stands for as long as if it were our own, when all was well. */
function earlierLook(
  { clock }: SourceParts,
  { status, check }: SourceStatusFields,
  now: { readonly basis: string; readonly generation: number; readonly resolved: ResolvedSource | ProblemError },
): LastLook | undefined {
  if (now.resolved instanceof ProblemError || check?.time === undefined || readinessOf({ status }) !== true)
    return undefined;
  if (check.observedGeneration !== now.generation || check.secretVersion !== now.resolved.secretVersion)
    return undefined;
  const ageMs = clock.now() - Date.parse(check.time);
  if (!(ageMs >= 0 && ageMs < REFRESH_MS)) return undefined;
  return { basis: now.basis, failures: 0, dueMs: clock.monotonicMs() + REFRESH_MS - ageMs };
}

function pauseMs(failures: number, problem: ProblemError | undefined, random: () => number): number {
  const asked = Math.min(BACKOFF.capMs, Number(problem?.context.retryAfterMs ?? 0));
  return Math.max(asked, backoffMs(failures, BACKOFF, random));
}

function unsupported({ kind }: SourceRef, adapters: SourceParts['adapters']): ProblemError {
  const known = [...adapters.values()].map(({ resource }) => resource.kind).join(', ') || 'no kind of source';
  return new ProblemError('ImportSourceUnsupported', `this installation reads ${known}, and no ${kind}`);
}

function verdictOf({ code, message }: ProblemError): SourceVerdict {
  return { isReady: false, code, message };
}

function noProblem(): undefined {}

/** What the source or its user can cure is an answer. That the cluster cannot be asked is none, except that it forbids to: of that the user has to be told. */
function toProblem(error: unknown): ProblemError {
  const isOurs = isProblem(error) && error.code.startsWith('Cluster') && error.code !== 'ClusterForbidden';
  if (!isProblem(error) || isOurs || error.code === 'Interrupted') throw error;
  return error;
}
