import { eventKind, type Job, nodeKind, type Pod } from '../../../api/core-kinds.ts';
import type { KubernetesObject } from '../../../domain/kubernetes-object.ts';
import type { ObservedTransfer } from '../../../domain/next-action.ts';
import type { CallOptions } from '../../../lib/call-options.ts';
import type { Cluster } from '../../../ports/cluster.ts';

/** Before that nothing is asked: most runs start and move within seconds. */
const SILENT_MS = 5_000;

export interface SilentRun {
  readonly transfer: ObservedTransfer | undefined;
  /** Of the current run. */
  readonly job: Job | undefined;
  /** The one that may still write. */
  readonly pod: Pod | undefined;
  readonly now: number;
}

/**
 * The transfer with the cause of its silence, as far as the cluster knows more than the Pod's own status tells: a node that does not answer leaves that status as it was, and what is
 * refused before there is a Pod, or a container, is said in events only.
 */
export async function explainSilence(
  cluster: Cluster,
  { transfer, job, pod, now }: SilentRun,
  options: CallOptions = {},
): Promise<ObservedTransfer | undefined> {
  const isLive = transfer?.state === 'pending' || transfer?.state === 'running' || transfer?.state === 'stopping';
  if (!isLive || transfer.problem?.code === 'TransferNodeLost' || now - transfer.progressAt < SILENT_MS)
    return transfer;
  const lost = pod && (await nodeProblem(cluster, pod, options));
  if (lost !== undefined) return { ...transfer, problem: { code: 'TransferNodeLost', message: lost } };
  if (transfer.state !== 'pending') return transfer;
  const told = await lastFailure(cluster, pod ?? job, options);
  return told === undefined ? transfer : { ...transfer, problem: { code: 'TransferNotStarted', message: told } };
}

async function nodeProblem(cluster: Cluster, pod: Pod, options: CallOptions): Promise<string | undefined> {
  const name = pod.spec?.nodeName;
  if (name === undefined) return undefined;
  const which = `node ${name} with Pod ${pod.metadata.name}`;
  const node = await cluster.get(nodeKind, { name }, options);
  if (node === undefined) return `${which} is no node of the cluster any more`;
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready === undefined || ready.status === 'True') return undefined;
  const since = ready.lastTransitionTime === undefined ? '' : ` since ${ready.lastTransitionTime}`;
  return `${which} does not answer${since}${ready.message === undefined ? '' : `: ${ready.message}`}`;
}

/** Kubernetes' own components say so with reasons such as FailedCreate, FailedMount, FailedScheduling; others warn of what hinders nobody. */
async function lastFailure(
  cluster: Cluster,
  about: KubernetesObject | undefined,
  options: CallOptions,
): Promise<string | undefined> {
  if (about?.metadata.uid === undefined) return undefined;
  const { namespace, name, uid } = about.metadata;
  let last: { readonly at: string; readonly text: string } | undefined;
  for await (const event of cluster.list(eventKind, {
    ...options,
    namespace,
    fields: { 'involvedObject.uid': uid },
  })) {
    if (event.reason?.startsWith('Failed') !== true) continue;
    const at = event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';
    if (last === undefined || at >= last.at) last = { at, text: `${event.reason}: ${event.message ?? ''}` };
  }
  return last && `${about.kind} ${name}: ${last.text}`;
}
