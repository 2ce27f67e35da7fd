import { type KubernetesObject, type ObjectRef, type ResourceKind, refOf } from '../../domain/kubernetes-object.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type {
  ApplyOptions,
  Cluster,
  ClusterEvent,
  DeepPartialObject,
  DeleteOptions,
  JsonObject,
  ListOptions,
  PatchOptions,
  WatchOptions,
} from '../../ports/cluster.ts';
import type { CallGate, ClusterCall } from './call-gate.ts';
import type { Fields } from './fields.ts';
import type { MemoryServer, Writer } from './memory-server.ts';
import { watchMemory } from './memory-watch.ts';
import { isSelected } from './selectors.ts';

/** What all connections of a cluster share. */
export interface Shared {
  readonly server: MemoryServer;
  readonly gate: CallGate;
  readonly clock: Clock;
  /** How often all watches were cut off. */
  cuts: number;
}

/** One client of the cluster, as a process would have it. */
export class MemoryConnection implements Cluster {
  readonly client: string;
  protected readonly shared: Shared;
  #isClosed = false;

  constructor(client: string, shared: Shared) {
    this.client = client;
    this.shared = shared;
  }

  /** As if the process had ended: from now on every call fails, those under way too, and watches tell nothing any more. What was written stays. */
  close(): void {
    this.#isClosed = true;
    this.shared.cuts += 1;
    this.shared.server.wakeWatches();
  }

  async get<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    return await this.#read(
      { verb: 'get', kind, ...ref },
      options,
      () => this.shared.server.get(kind, ref) as T | undefined,
    );
  }

  async *list<T extends KubernetesObject>(kind: ResourceKind<T>, options: ListOptions = {}): AsyncGenerator<T, void> {
    const { namespace } = options;
    const all = await this.#read({ verb: 'list', kind, namespace }, options, () => this.shared.server.list(kind));
    for (const object of all) {
      options.signal?.throwIfAborted();
      if (isSelected(object, options)) yield object as T;
    }
  }

  watch<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<ClusterEvent<T>, void> {
    const { server, clock } = this.shared;
    const watched = {
      clock,
      list: () => server.list(kind),
      changes: () => server.changes(kind),
      connect: () => {
        this.#check({ verb: 'watch', kind, namespace: options.namespace }, 'before');
        server.changes(kind);
      },
      connection: () => this.shared.cuts,
    };
    return watchMemory(watched, options) as AsyncGenerator<ClusterEvent<T>, void>;
  }

  async create<T extends KubernetesObject>(kind: ResourceKind<T>, object: T, options: CallOptions = {}): Promise<T> {
    const { server } = this.shared;
    return await this.#write({ verb: 'create', kind, ...refOf(object) }, options, (writer) =>
      server.create(kind, object, writer),
    );
  }

  async apply<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    object: DeepPartialObject<T>,
    options: ApplyOptions,
  ): Promise<T> {
    const { fieldManager, force, subresource } = options;
    const { name, namespace } = object.metadata;
    return await this.#write({ verb: 'apply', kind, name, namespace, subresource }, options, () =>
      this.shared.server.apply(kind, object as KubernetesObject, subresource ?? 'object', {
        manager: fieldManager,
        force,
      }),
    );
  }

  async patch<T extends KubernetesObject>(
    kind: ResourceKind<T>,
    ref: ObjectRef,
    patch: JsonObject,
    options: PatchOptions = {},
  ): Promise<T> {
    const { subresource } = options;
    return await this.#write({ verb: 'patch', kind, ...ref, subresource }, options, (writer) =>
      this.shared.server.patch(kind, ref, patch as Fields, subresource ?? 'object', writer),
    );
  }

  async replace<T extends KubernetesObject>(kind: ResourceKind<T>, object: T, options: CallOptions = {}): Promise<T> {
    const { server } = this.shared;
    return await this.#write({ verb: 'replace', kind, ...refOf(object) }, options, (writer) =>
      server.replace(kind, object, writer),
    );
  }

  async delete(kind: ResourceKind, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    await this.#write({ verb: 'delete', kind, ...ref }, options, () => {
      this.shared.server.delete(kind, ref, options);
      return undefined;
    });
  }

  async #read<R>(call: Omit<ClusterCall, 'client'>, { signal }: CallOptions, act: () => R): Promise<R> {
    signal?.throwIfAborted();
    // As over a network, nothing is answered within the call itself.
    await undefined;
    signal?.throwIfAborted();
    this.#check(call, 'before');
    const result = act();
    this.#check(call, 'after');
    return result;
  }

  /** What was written stays written, whatever is thrown afterwards. */
  async #write<R>(
    call: Omit<ClusterCall, 'client'> & { readonly name: string },
    options: CallOptions,
    act: (writer: Writer) => KubernetesObject | undefined,
  ): Promise<R> {
    const { server, gate } = this.shared;
    const { client } = this;
    return await this.#read(call, options, () => {
      const versionBefore = server.version;
      const object = act({ manager: client });
      const name = object?.metadata.name ?? call.name;
      gate.wrote({ ...call, client, name, isChange: server.version !== versionBefore, object });
      return object as R;
    });
  }

  #check(call: Omit<ClusterCall, 'client'>, when: 'before' | 'after'): void {
    if (this.#isClosed) throw new ProblemError('ClusterUnreachable', `the connection of ${this.client} is closed`);
    this.shared.gate.check({ ...call, client: this.client }, when);
  }
}
