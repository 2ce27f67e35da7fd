import { type Pod, podKind } from '../../src/api/core-kinds.ts';
import { IMPORT_UID_LABEL, MANAGED_BY, MANAGED_BY_LABEL, TOKEN_AUDIENCE } from '../../src/api/literals.ts';
import { type TransferOutcome, type TransferProgress, transferPath } from '../../src/api/transfer-protocol.ts';
import { type KubernetesObject, type ResourceKind, refOf } from '../../src/domain/kubernetes-object.ts';
import { WorkQueue } from '../../src/lib/work-queue.ts';
import { systemClock } from '../../src/main/system-clock.ts';
import type { Cluster, JsonObject } from '../../src/ports/cluster.ts';
import { EndpointHttp } from '../../src/worker/endpoint-http.ts';

export interface SimulatedWorkersOptions {
  /** May patch the status of Pods and ask for tokens. */
  readonly cluster: Cluster;
  readonly endpointUrl: string;
  /** Of the endpoint. */
  readonly readCa: () => Promise<string>;
  readonly onError: (error: unknown) => void;
  /** Whose worker copies for ever, by the label of its import. */
  readonly isEndless?: (importUid: string) => boolean;
}

interface TokenRequest extends KubernetesObject {
  readonly spec: object;
  readonly status?: { readonly token?: string };
}

const tokenOf = (serviceAccount: string): ResourceKind<TokenRequest> => ({
  apiVersion: 'v1',
  kind: 'TokenRequest',
  plural: `serviceaccounts/${serviceAccount}/token`,
  isNamespaced: true,
});
const MIB = 1024 * 1024;
const CONCURRENCY = 24;

/** What kubelet and worker do for each Pod of a transfer, without a container and without bytes: it runs, talks to the endpoint with a token of its own, and ends well. */
export class SimulatedWorkers implements AsyncDisposable {
  readonly #options: SimulatedWorkersOptions;
  readonly #http: EndpointHttp;
  readonly #stop = new AbortController();
  readonly #pods = new Map<string, Pod>();
  readonly #queue: WorkQueue;
  readonly #watching: Promise<void>;

  constructor(options: SimulatedWorkersOptions) {
    this.#options = options;
    this.#http = new EndpointHttp(options.endpointUrl, options.readCa);
    this.#queue = new WorkQueue({
      process: async (uid) => {
        await this.#work(uid);
        return undefined;
      },
      concurrency: CONCURRENCY,
      clock: systemClock,
      random: Math.random,
      onError: (_, error) => options.onError(error),
    });
    this.#watching = this.#watch().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) options.onError(error);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the test is over'));
    await this.#watching;
    await this.#queue.drain();
    await this.#http[Symbol.asyncDispose]();
  }

  async #watch(): Promise<void> {
    const labels = { [MANAGED_BY_LABEL]: MANAGED_BY };
    for await (const event of this.#options.cluster.watch(podKind, { labels, signal: this.#stop.signal })) {
      if (event.type === 'synced') continue;
      const uid = event.object.metadata.uid ?? '';
      if (event.type === 'gone' || event.object.metadata.deletionTimestamp !== undefined) {
        this.#pods.delete(uid);
        continue;
      }
      const pod = event.object;
      if (this.#pods.has(uid) || pod.status?.phase === 'Succeeded') continue;
      this.#pods.set(uid, pod);
      this.#queue.add(uid);
    }
  }

  async #work(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    await this.#setStatus(pod, { phase: 'Running', startTime: new Date().toISOString() });
    const environment = new Map(pod.spec?.containers?.[0]?.env?.map(({ name, value = '' }) => [name, value]));
    const path = transferPath({
      id: environment.get('AIRLIFT_TRANSFER') ?? '',
      epoch: Number(environment.get('AIRLIFT_EPOCH')),
    });
    const token = await this.#token(pod);
    await this.#ask(token, 'GET', `${path}/assignment`);
    if (this.#options.isEndless?.(pod.metadata.labels?.[IMPORT_UID_LABEL] ?? '') === true) {
      await this.#ask(token, 'POST', `${path}/progress`, progress('copy'));
      return;
    }
    for (const phase of ['copy', 'verify'] as const)
      await this.#ask(token, 'POST', `${path}/progress`, progress(phase));
    await this.#ask(token, 'POST', `${path}/outcome`, outcome);
    const terminated = { exitCode: 0, reason: 'Completed', finishedAt: new Date().toISOString() };
    await this.#setStatus(pod, {
      phase: 'Succeeded',
      containerStatuses: [
        { name: 'worker', image: 'simulated', imageID: '', ready: false, restartCount: 0, state: { terminated } },
      ],
    });
    this.#pods.delete(uid);
  }

  async #setStatus(pod: Pod, status: JsonObject): Promise<void> {
    await this.#options.cluster.patch(podKind, refOf(pod), { status }, { subresource: 'status' });
  }

  async #token({ metadata: { namespace = '', name, uid } }: Pod): Promise<string> {
    const answer = await this.#options.cluster.create(tokenOf('default'), {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name: '', namespace },
      spec: { audiences: [TOKEN_AUDIENCE], boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid } },
    });
    return answer.status?.token ?? '';
  }

  async #ask(token: string, method: 'GET' | 'POST', path: string, body?: object): Promise<void> {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const sent = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) };
    const { status, body: answer } = await this.#http.send({ method, path, headers, ...sent });
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${Buffer.from(answer).toString('utf8')}`);
  }
}

function progress(phase: TransferProgress['phase']): TransferProgress {
  return { phase, doneBytes: MIB, totalBytes: MIB, bytesPerSecond: MIB, checkpointBytes: MIB, remarks: [] };
}

const outcome: TransferOutcome = {
  result: {
    format: 'vmdk streamOptimized',
    virtualSizeBytes: MIB,
    dataBytes: MIB,
    digest: { root: 'ab'.repeat(32), sectionBytes: 4 * MIB, sections: [] },
    storedDigests: [],
    fetchedBytes: MIB,
    writtenBytes: MIB,
    copyMs: 10,
    verifyMs: 10,
    resumes: 0,
    allocatedBytes: MIB,
  },
};
