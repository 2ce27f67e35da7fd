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
  /** Told of each Pod that has not begun, once. */
  readonly onUnstarted?: ((pod: string) => void) | undefined;
}

type Reachable = Pick<OpenCluster, 'cluster' | 'readPodLog'>;

/** What the workers of an import have printed, Pod by Pod: by disk, and the first transfer first. Pods that have not begun are told instead. */
export async function* readWorkerLogs(
  open: Reachable,
  machineImport: KubernetesObject,
  { disk, onUnstarted, ...options }: WorkerLogOptions = {},
): AsyncGenerator<LogLine, void> {
  const pods = await allOf(open.cluster.list(podKind, { ...options, ...podsOf(machineImport) }));
  const wanted = pods
    .filter((pod) => disk === undefined || diskOf(pod) === disk)
    .toSorted((one, other) => (diskOf(one) ?? 0) - (diskOf(other) ?? 0) || epochOf(one) - epochOf(other));
  for (const pod of wanted) {
    if (hasBegun(pod)) yield* linesOf(open, pod, options);
    else onUnstarted?.(pod.metadata.name);
  }
}

export interface FollowLogOptions extends WorkerLogOptions {
  /** Aborted once no more Pods come: then it ends with those that are there. */
  readonly until?: AbortSignal | undefined;
}

/**
 * The same, and whatever they go on to print, also of Pods that come later, as it comes.
 * @param onLine is told each line; lines of one Pod come in their order
 */
export async function followWorkerLogs(
  open: Reachable,
  machineImport: KubernetesObject,
  onLine: (line: LogLine) => void,
  { disk, onUnstarted, signal, until }: FollowLogOptions = {},
): Promise<void> {
  const failure = new AbortController();
  const given = [failure.signal, ...(signal === undefined ? [] : [signal])];
  const reading = AbortSignal.any(given);
  const watching = AbortSignal.any([...given, ...(until === undefined ? [] : [until])]);
  const begun = new Set<string>();
  const told = new Set<string>();
  const readers: Promise<void>[] = [];
  const read = async (pod: Pod) => {
    try {
      for await (const line of linesOf(open, pod, { signal: reading, follow: true })) onLine(line);
    } catch (error) {
      // The end of everything; what the others say of it afterwards is no news.
      if (!reading.aborted) failure.abort(error);
    }
  };
  try {
    for await (const event of open.cluster.watch(podKind, { ...podsOf(machineImport), signal: watching })) {
      if (event.type !== 'set' || (disk !== undefined && diskOf(event.object) !== disk)) continue;
      const { uid = '', name } = event.object.metadata;
      if (hasBegun(event.object)) {
        if (!begun.has(uid)) readers.push(read(event.object));
        begun.add(uid);
      } else if (!told.has(uid)) {
        told.add(uid);
        onUnstarted?.(name);
      }
    }
  } catch (error) {
    if (!watching.aborted) failure.abort(error);
  }
  await Promise.all(readers);
  reading.throwIfAborted();
}

function podsOf({ metadata: { namespace, uid = '' } }: KubernetesObject) {
  return { namespace, labels: { [IMPORT_UID_LABEL]: uid } };
}

async function* linesOf(
  open: Reachable,
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
