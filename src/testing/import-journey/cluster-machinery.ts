import {
  type Job,
  jobKind,
  type Pod,
  persistentVolumeClaimKind,
  podKind,
  type StorageClass,
  storageClassKind,
} from '../../api/core-kinds.ts';
import { virtualMachineKind } from '../../api/platform-kinds.ts';
import { diskOf, epochOf } from '../../controller/machine-import/observe/observe-transfer.ts';
import { type KubernetesObject, type ResourceKind, refOf } from '../../domain/kubernetes-object.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Cluster, JsonObject } from '../../ports/cluster.ts';

/** What a worker is about to do: its Pod has begun to run. */
export interface WorkerRun {
  readonly namespace: string;
  readonly importUid: string;
  readonly importName: string;
  readonly disk: number;
  readonly epoch: number;
}

/** How a worker ends, or that it goes on. */
export type WorkerEnd = { readonly exitCode: number; readonly message?: string } | 'goesOn';

export interface MachineryOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Called once for each run, when its Pod runs; may be called again at each turn while it goes on. */
  readonly work: (run: WorkerRun) => Promise<WorkerEnd>;
  /** Volumes that never bind, by claim name. */
  readonly neverBinds?: (claim: string) => boolean;
  readonly machinesGetReady?: boolean;
}

/**
 * The parts of a cluster that a cluster in memory has not: the provisioner, the Job controller with its Pods, the kubelet, and KubeVirt. Each `turn` does for every object the next thing
 * that these would do.
 */
export class ClusterMachinery {
  readonly #options: MachineryOptions;

  constructor(options: MachineryOptions) {
    this.#options = options;
  }

  async turn(): Promise<void> {
    await this.#bindClaims();
    await this.#makePods();
    await this.#runPods();
    await this.#startMachines();
  }

  async #bindClaims(): Promise<void> {
    const classes = new Map((await this.#all(storageClassKind)).map((each) => [each.metadata.name, each]));
    const pods = await this.#all(podKind);
    for (const claim of await this.#all(persistentVolumeClaimKind)) {
      const { name } = claim.metadata;
      if (claim.status?.phase === 'Bound' || this.#options.neverBinds?.(name)) continue;
      const isWanted = pods.some(({ spec }) =>
        spec?.volumes?.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === name),
      );
      if (waitsForConsumer(classes.get(claim.spec?.storageClassName ?? '')) && !isWanted) continue;
      await this.#setStatus(persistentVolumeClaimKind, claim, { phase: 'Bound' });
    }
  }

  async #makePods(): Promise<void> {
    const pods = await this.#all(podKind);
    for (const job of await this.#all(jobKind)) {
      const isMade = pods.some(({ metadata }) => metadata.ownerReferences?.[0]?.uid === job.metadata.uid);
      if (isMade || isOver(job)) continue;
      const { name, namespace = '', uid = '' } = job.metadata;
      const pod: Pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `${name}-abcde`,
          namespace,
          labels: job.metadata.labels ?? {},
          ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }],
        },
        ...(job.spec?.template?.spec === undefined ? {} : { spec: job.spec.template.spec }),
      };
      const made = await this.#options.cluster.create(podKind, pod);
      await this.#setStatus(podKind, made, { phase: 'Pending' });
    }
  }

  async #runPods(): Promise<void> {
    const claims = new Map((await this.#all(persistentVolumeClaimKind)).map((each) => [each.metadata.name, each]));
    for (const pod of await this.#all(podKind)) {
      const { phase } = pod.status ?? {};
      const startTime = pod.status?.startTime ?? this.#now();
      if (phase === 'Pending') {
        const wanted = pod.spec?.volumes?.flatMap(
          ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [],
        );
        if (wanted?.every((name) => claims.get(name)?.status?.phase === 'Bound'))
          await this.#setStatus(podKind, pod, { phase: 'Running', startTime });
      } else if (phase === 'Running') {
        const end = await this.#options.work(runOf(pod));
        if (end !== 'goesOn') await this.#endPod(pod, end);
      }
    }
  }

  async #endPod(pod: Pod, { exitCode, message = '' }: Exclude<WorkerEnd, 'goesOn'>): Promise<void> {
    const terminated = { exitCode, message, reason: exitCode === 0 ? 'Completed' : 'Error', finishedAt: this.#now() };
    await this.#setStatus(podKind, pod, {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      containerStatuses: [{ name: 'worker', state: { terminated } }],
    });
    const owner = pod.metadata.ownerReferences?.[0]?.name ?? '';
    const job = await this.#options.cluster.get(jobKind, { ...refOf(pod), name: owner });
    if (job === undefined) return;
    const type = exitCode === 0 ? 'Complete' : 'Failed';
    await this.#setStatus(jobKind, job, { conditions: [{ type, status: 'True' }], completionTime: this.#now() });
  }

  async #startMachines(): Promise<void> {
    if (this.#options.machinesGetReady === false) return;
    for (const machine of await this.#all(virtualMachineKind)) {
      if (machine.status?.ready === true || machine.spec?.runStrategy === 'Halted') continue;
      await this.#setStatus(virtualMachineKind, machine, { ready: true, printableStatus: 'Running' });
    }
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }

  async #setStatus<T extends KubernetesObject>(kind: ResourceKind<T>, object: T, status: JsonObject): Promise<void> {
    await this.#options.cluster.patch(kind, refOf(object), { status }, { subresource: 'status' });
  }

  async #all<T extends KubernetesObject>(kind: ResourceKind<T>): Promise<T[]> {
    const all: T[] = [];
    for await (const each of this.#options.cluster.list(kind)) all.push(each);
    return all;
  }
}

function waitsForConsumer(storageClass: StorageClass | undefined): boolean {
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer';
}

function isOver({ status }: Job): boolean {
  return (
    status?.conditions?.some(({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed')) ??
    false
  );
}

function runOf(pod: Pod): WorkerRun {
  const { namespace = '', labels } = pod.metadata;
  return {
    namespace,
    importUid: labels?.['migration.harvesterhci.io/import-uid'] ?? '',
    importName: '',
    disk: diskOf(pod),
    epoch: epochOf(pod),
  };
}
