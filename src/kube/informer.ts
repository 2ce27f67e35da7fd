import type { KubernetesObject, ObjectRef, ResourceKind } from '../domain/kubernetes-object.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Cluster, WatchOptions } from '../ports/cluster.ts';
import { keyOf } from './received-object.ts';

export interface InformerOptions<T extends KubernetesObject, P>
  extends Pick<WatchOptions, 'namespace' | 'labels' | 'fields' | 'onRetry'> {
  readonly cluster: Cluster;
  readonly kind: ResourceKind<T>;
  /** What is kept of an object: everything, or the few fields that are needed, so that ten thousand are small. */
  readonly project: (object: T) => P;
  /** Values by which objects are found, such as `byOwner` and `byLabel('app')`; an object may have several of one index, or none. */
  readonly indices?: Readonly<Record<string, IndexValues<T>>> | undefined;
}

export type IndexValues<T extends KubernetesObject> = (object: T) => readonly string[];

export interface InformerChange<P> {
  readonly ref: ObjectRef;
  /** Undefined when it is new. */
  readonly before: P | undefined;
  /** Undefined when it is gone. */
  readonly after: P | undefined;
}

interface Entry<P> {
  readonly ref: ObjectRef;
  readonly kept: P;
  /** Of each index, in order; most have at most one. */
  readonly values: readonly (readonly string[])[];
}

/** By the uids of those that own them. */
export const byOwner: IndexValues<KubernetesObject> = ({ metadata }) =>
  metadata.ownerReferences?.map(({ uid }) => uid) ?? [];

export function byLabel(name: string): IndexValues<KubernetesObject> {
  return ({ metadata }) => {
    const value = metadata.labels?.[name];
    return value === undefined ? [] : [value];
  };
}

/** The latest state of all objects of a kind, as a watch tells it: a little behind the cluster at any time, and complete once `synced`. */
export class Informer<T extends KubernetesObject, P = T> {
  readonly #options: InformerOptions<T, P>;
  readonly #indexNames: readonly string[];
  readonly #entries = new Map<string, Entry<P>>();
  /** Keys of entries by index and value. */
  readonly #found: readonly Map<string, Set<string>>[];
  readonly #listeners = new Set<(change: InformerChange<P>) => void>();
  readonly #synced = Promise.withResolvers<void>();
  #isSynced = false;

  constructor(options: InformerOptions<T, P>) {
    this.#options = options;
    this.#indexNames = Object.keys(options.indices ?? {});
    this.#found = this.#indexNames.map(() => new Map());
    // Whoever waits for it gets the failure; when nobody does, `run` still throws it.
    this.#synced.promise.catch(() => {});
  }

  /** Follows the cluster until aborted. @throws what ends the watch for good, and the signal's reason */
  async run({ signal }: CallOptions): Promise<never> {
    const { cluster, kind, namespace, labels, fields, onRetry } = this.#options;
    try {
      for await (const event of cluster.watch(kind, { namespace, labels, fields, onRetry, signal })) {
        if (event.type === 'set') this.#set(event.object);
        else if (event.type === 'gone') this.#remove(event.object);
        else {
          this.#isSynced = true;
          this.#synced.resolve();
        }
      }
      throw new Error(`the watch of ${kind.plural} ended without a reason`);
    } catch (error) {
      this.#synced.reject(error);
      throw error;
    }
  }

  /** Settles when everything there is has been told, or when `run` ended before. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(ref: ObjectRef): P | undefined {
    return this.#entries.get(keyOf(ref))?.kept;
  }

  *list(): Generator<P, void> {
    for (const { kept } of this.#entries.values()) yield kept;
  }

  /** @param index one of those the informer was made with */
  find(index: string, value: string): P[] {
    const position = this.#indexNames.indexOf(index);
    if (position < 0) throw new Error(`there is no index ${index}`);
    const keys = this.#found[position]?.get(value) ?? [];
    return [...keys].flatMap((key) => this.#entries.get(key)?.kept ?? []);
  }

  /** Calls the listener with every change from now on, after it is kept. Returns what ends that. */
  onChange(listener: (change: InformerChange<P>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(object: T): void {
    const { indices = {}, project } = this.#options;
    const { namespace, name } = object.metadata;
    const ref = namespace === undefined ? { name } : { namespace, name };
    const key = keyOf(ref);
    const before = this.#entries.get(key);
    const values = this.#indexNames.map((index) => indices[index]?.(object) ?? []);
    if (before) this.#unfind(key, before);
    const entry: Entry<P> = { ref, kept: project(object), values };
    this.#entries.set(key, entry);
    for (const [position, each] of values.entries()) {
      for (const value of each) {
        const keys = this.#found[position]?.get(value);
        if (keys) keys.add(key);
        else this.#found[position]?.set(value, new Set([key]));
      }
    }
    this.#tell({ ref, before: before?.kept, after: entry.kept });
  }

  #remove({ metadata }: KubernetesObject): void {
    const key = keyOf(metadata);
    const before = this.#entries.get(key);
    if (before === undefined) return;
    this.#entries.delete(key);
    this.#unfind(key, before);
    this.#tell({ ref: before.ref, before: before.kept, after: undefined });
  }

  #unfind(key: string, { values }: Entry<P>): void {
    for (const [position, each] of values.entries()) {
      for (const value of each) {
        const keys = this.#found[position]?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) this.#found[position]?.delete(value);
      }
    }
  }

  #tell(change: InformerChange<P>): void {
    for (const listener of this.#listeners) listener(change);
  }
}
