import { type Pod, podKind } from '../../api/core-kinds.ts';
import { IMPORT_UID_LABEL } from '../../api/literals.ts';
import { type KubernetesObject, refOf } from '../../domain/kubernetes-object.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { allOf } from './all-of.ts';
import type { OpenCluster } from './open-cluster.ts';
import { diskOf, epochOf } from './related-objects.ts';

export interface LogLine {
  readonly pod: string;
  readonly disk: number | undefined;
  /** Which transfer of that disk it is. */
  readonly epoch: number;
  readonly text: string;
}

export interface WorkerLogOptions extends CallOptions {
  /** Only of this disk. */
  readonly disk?: number | undefined;
  readonly onUnstarted?: ((pod: string) => void) | undefined;
}

/** What the workers of an import have printed, Pod by Pod: by disk, and the first transfer first. Pods that have not begun are told instead. */
export async function* readWorkerLogs(
  open: OpenCluster,
  machineImport: KubernetesObject,
  { disk, onUnstarted, ...options }: WorkerLogOptions = {},
): AsyncGenerator<LogLine, void> {
  const { namespace, uid = '' } = machineImport.metadata;
  const labels = { [IMPORT_UID_LABEL]: uid };
  const pods = await allOf(open.cluster.list(podKind, { ...options, namespace, labels }));
  const wanted = pods
    .filter((pod) => disk === undefined || diskOf(pod) === disk)
    .toSorted((one, other) => (diskOf(one) ?? 0) - (diskOf(other) ?? 0) || epochOf(one) - epochOf(other));
  for (const pod of wanted) {
    if (hasBegun(pod)) yield* linesOf(open, pod, options);
    else onUnstarted?.(pod.metadata.name);
  }
}

/**
 * The same, and whatever they go on to print, also of Pods that come later, as it comes. Ends when aborted.
 * @param onLine is told each line; lines of one Pod come in their order
 */
export async function followWorkerLogs(
  open: OpenCluster,
  machineImport: KubernetesObject,
  onLine: (line: LogLine) => void,
  { disk, onUnstarted, signal }: WorkerLogOptions = {},
): Promise<void> {
  const { namespace, uid = '' } = machineImport.metadata;
  const labels = { [IMPORT_UID_LABEL]: uid };
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const known = new Set<string>();
  const readers: Promise<void>[] = [];
  const read = async (pod: Pod) => {
    try {
      for await (const line of linesOf(open, pod, { signal: either, follow: true })) onLine(line);
    } catch (error) {
      // The end of everything, told once.
      if (!either.aborted) stop.abort(error);
    }
  };
  try {
    for await (const event of open.cluster.watch(podKind, { namespace, labels, signal: either })) {
      if (event.type !== 'set' || (disk !== undefined && diskOf(event.object) !== disk)) continue;
      const pod = event.object;
      const key = pod.metadata.uid ?? pod.metadata.name;
      if (hasBegun(pod) && !known.has(key)) {
        known.add(key);
        readers.push(read(pod));
      } else if (!hasBegun(pod)) onUnstarted?.(pod.metadata.name);
    }
  } finally {
    if (!stop.signal.aborted) stop.abort();
    await Promise.all(readers);
  }
  signal?.throwIfAborted();
  if (stop.signal.reason instanceof Error && stop.signal.reason.name !== 'AbortError') throw stop.signal.reason;
}

async function* linesOf(
  open: OpenCluster,
  pod: Pod,
  options: CallOptions & { readonly follow?: boolean },
): AsyncGenerator<LogLine, void> {
  const about = { pod: pod.metadata.name, disk: diskOf(pod), epoch: epochOf(pod) };
  for await (const text of open.readPodLog(refOf(pod), options)) yield { ...about, text };
}

/** Before that there is nothing to read, and the API answers with an error. */
function hasBegun({ status }: Pod): boolean {
  return status?.phase !== undefined && status.phase !== 'Pending';
}
