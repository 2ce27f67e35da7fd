import type { Job, Pod } from '../../../api/core-kinds.ts';
import { DISK_INDEX_LABEL, EPOCH_LABEL } from '../../../api/literals.ts';
import type { KubernetesObject } from '../../../domain/kubernetes-object.ts';
import type { ObservedTransfer } from '../../../domain/next-action.ts';
import type { ProblemCode } from '../../../domain/problems.ts';
import type { LiveProgress } from '../status/status-facts.ts';
import { failuresOf, type TransferState } from '../transfers/transfer-record.ts';

export interface TransferObjects {
  /** Of this disk, of every run that is still there. */
  readonly jobs: readonly Job[];
  readonly pods: readonly Pod[];
  readonly state: TransferState;
  readonly live: LiveProgress | undefined;
}

/**
 * What became of the current run, told from its Job, its Pod, and what the worker said. As long as any Pod of an earlier run may still write, the transfer is `stopping`, and nothing
 * else begins (ruling 16).
 */
export function observeTransfer({ jobs, pods, state, live }: TransferObjects): ObservedTransfer | undefined {
  const { epoch, failures } = state;
  const writing = pods.find((pod) => epochOf(pod) < epoch && mayWrite(pod));
  if (writing !== undefined) return { ...stoppingPod(writing), epoch, failures };

  const job = jobs.find((each) => epochOf(each) === epoch);
  const pod = pods.find((each) => epochOf(each) === epoch);
  if (job === undefined && (pod === undefined || !mayWrite(pod))) {
    // Stopped on purpose, or the controller died between writing the epoch down and making the Job.
    return state.problem?.epoch === epoch ? failedTransfer(state, endOf(pod) ?? state.problem.at) : undefined;
  }
  const startedAt = timeOf(job?.metadata.creationTimestamp ?? pod?.metadata.creationTimestamp);
  const common = { epoch, startedAt, failures };
  if (pod !== undefined && mayWrite(pod) && (pod.metadata.deletionTimestamp !== undefined || job === undefined))
    return { ...stoppingPod(pod), ...common };
  const hasEnded = isConditionTrue(job, 'Failed') || isConditionTrue(job, 'Complete');
  if (hasEnded || (pod !== undefined && !mayWrite(pod))) {
    const endedAt = endOf(pod) ?? timeOf(job?.status?.completionTime) ?? startedAt;
    if (state.problem?.epoch === epoch) return { ...failedTransfer(state, endedAt), startedAt };
    return {
      ...common,
      failures: failuresOf(state),
      state: 'failed',
      progressAt: endedAt,
      endedAt,
      problem: { code: 'TransferFailed', message: reasonOfEnd(pod, job) },
    };
  }
  if (pod === undefined || pod.status?.phase === 'Pending' || pod.status?.phase === undefined) {
    return { ...common, state: 'pending', progressAt: startedAt, problem: reasonOfWaiting(pod, job) };
  }
  const isOfThisRun = live !== undefined && live.at >= startedAt;
  const progressAt = isOfThisRun ? live.at : timeOf(pod.status.startTime, startedAt);
  return { ...common, state: 'running', progressAt, problem: nodeProblem(pod) };
}

/** Until the kubelet says that its containers have ended, or the Pod is gone. */
export function mayWrite({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

export function epochOf({ metadata }: KubernetesObject): number {
  return Number(metadata.labels?.[EPOCH_LABEL] ?? Number.NaN);
}

export function diskOf({ metadata }: KubernetesObject): number {
  return Number(metadata.labels?.[DISK_INDEX_LABEL] ?? Number.NaN);
}

function failedTransfer(state: TransferState, endedAt: number | undefined): ObservedTransfer {
  const at = endedAt ?? 0;
  const { epoch, problem } = state;
  return { epoch, state: 'failed', startedAt: at, progressAt: at, endedAt: at, failures: failuresOf(state), problem };
}

/** A Pod on a node that does not answer is neither running nor gone. Only the node's return, or its deletion by a person, tells (ruling 16). */
function stoppingPod(pod: Pod): Omit<ObservedTransfer, 'epoch' | 'failures'> {
  const since = timeOf(pod.metadata.deletionTimestamp ?? pod.status?.startTime ?? pod.metadata.creationTimestamp);
  return { state: 'stopping', startedAt: since, progressAt: since, problem: nodeProblem(pod) };
}

function nodeProblem(pod: Pod): ObservedTransfer['problem'] {
  const condition = (name: string) => pod.status?.conditions?.find(({ type }) => type === name);
  const ready = condition('Ready');
  // The node's controller says so without a reason; the kubelet would have said it of the containers too.
  const isSaidByOthers = ready?.status === 'False' && condition('ContainersReady')?.status === 'True';
  const isLost = pod.status?.reason === 'NodeLost' || ready?.reason === 'NodeNotReady' || isSaidByOthers;
  if (!isLost) return undefined;
  const since = ready?.lastTransitionTime === undefined ? '' : ` since ${ready.lastTransitionTime}`;
  const message = `node ${pod.spec?.nodeName ?? '(unknown)'} with Pod ${pod.metadata.name} does not answer${since}`;
  return { code: 'TransferNodeLost', message };
}

/** Reasons of the kubelet that no waiting cures are told as they are; the message is the runtime's own. */
function reasonOfWaiting(pod: Pod | undefined, job: Job | undefined): ObservedTransfer['problem'] {
  const problem = (message: string): { code: ProblemCode; message: string } => ({
    code: 'TransferNotStarted',
    message,
  });
  if (pod === undefined) {
    const refused = job?.status?.conditions?.find(({ type }) => type === 'FailureTarget' || type === 'Suspended');
    return problem(refused?.message ?? `Job ${job?.metadata.name ?? ''} has made no Pod yet`);
  }
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return problem(`${scheduled.reason}: ${scheduled.message ?? ''}`);
  const waiting = pod.status?.containerStatuses?.map(({ state }) => state?.waiting).find((each) => each !== undefined);
  if (waiting?.reason === undefined) return undefined;
  return problem(`${waiting.reason}${waiting.message === undefined ? '' : `: ${waiting.message}`}`);
}

function reasonOfEnd(pod: Pod | undefined, job: Job | undefined): string {
  const ended = pod?.status?.containerStatuses
    ?.map(({ state }) => state?.terminated)
    .find((each) => each !== undefined);
  if (ended !== undefined) {
    const how = ended.signal === undefined ? `exit code ${ended.exitCode}` : `signal ${ended.signal}`;
    const last = ended.message?.trim().split('\n').at(-1);
    return `the worker ended with ${how}${ended.reason === undefined ? '' : ` (${ended.reason})`}${last ? `: ${last}` : ''}`;
  }
  if (pod?.status?.message !== undefined) return `${pod.status.reason ?? 'the Pod failed'}: ${pod.status.message}`;
  const failed = job?.status?.conditions?.find(({ type }) => type === 'Failed');
  return failed?.message ?? 'the worker is gone';
}

function isConditionTrue(job: Job | undefined, type: string): boolean {
  return job?.status?.conditions?.some((each) => each.type === type && each.status === 'True') ?? false;
}

function endOf(pod: Pod | undefined): number | undefined {
  const ends = pod?.status?.containerStatuses?.map(({ state }) => state?.terminated?.finishedAt) ?? [];
  const times = ends.flatMap((each) => (each === undefined ? [] : [timeOf(each)]));
  return times.length === 0 ? undefined : Math.max(...times);
}

function timeOf(text: string | undefined, otherwise = 0): number {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? otherwise : time;
}
