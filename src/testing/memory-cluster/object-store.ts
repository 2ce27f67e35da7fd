import type { KubernetesObject } from '../../domain/kubernetes-object.ts';
import { ChangeLog } from './change-log.ts';
import type { FieldManagers } from './field-managers.ts';

export interface StoredObject {
  /** Frozen. */
  readonly object: KubernetesObject;
  readonly managers: FieldManagers;
}

interface Shelf {
  readonly objects: Map<string, StoredObject>;
  readonly changes: ChangeLog;
}

/** Where the objects are: versions and history, no rules. The part that another store would replace. */
export class ObjectStore {
  readonly #shelves = new Map<string, Shelf>();
  /** The namespaces of all objects there are, by uid. */
  readonly #uids = new Map<string | undefined, string | undefined>();
  #version = 1;

  get version(): string {
    return String(this.#version);
  }

  /** The version that the next change will have. */
  get nextVersion(): string {
    return String(this.#version + 1);
  }

  get(kind: string, key: string): StoredObject | undefined {
    return this.#shelves.get(kind)?.objects.get(key);
  }

  /** In the order of their keys. */
  list(kind: string): KubernetesObject[] {
    const shelf = this.#shelves.get(kind);
    if (shelf === undefined) return [];
    return [...shelf.objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { object }]) => object);
  }

  *everything(): Generator<readonly [kind: string, object: KubernetesObject]> {
    for (const [kind, { objects }] of this.#shelves) for (const { object } of objects.values()) yield [kind, object];
  }

  /** Whether an object of this uid is there, in this namespace or in none. */
  hasOwner(uid: string, namespace: string | undefined): boolean {
    if (!this.#uids.has(uid)) return false;
    const owners = this.#uids.get(uid);
    return owners === undefined || owners === namespace;
  }

  put(kind: string, key: string, stored: StoredObject): void {
    const shelf = this.#shelf(kind);
    const before = shelf.objects.get(key)?.object;
    this.#version += 1;
    shelf.objects.set(key, stored);
    this.#uids.set(stored.object.metadata.uid, stored.object.metadata.namespace);
    shelf.changes.append({ before, after: stored.object });
  }

  /** @param last how it was at the end, with the version of its removal */
  remove(kind: string, key: string, last: KubernetesObject): void {
    const shelf = this.#shelf(kind);
    const before = shelf.objects.get(key)?.object;
    this.#version += 1;
    shelf.objects.delete(key);
    this.#uids.delete(last.metadata.uid);
    shelf.changes.append({ before: before ?? last, after: undefined, last });
  }

  changes(kind: string): ChangeLog {
    return this.#shelf(kind).changes;
  }

  /** Lets everybody who follows changes look again. */
  wake(): void {
    for (const { changes } of this.#shelves.values()) changes.wake();
  }

  /** Forgets how the objects came to be as they are. */
  compact(): void {
    for (const { changes } of this.#shelves.values()) changes.compact();
  }

  #shelf(kind: string): Shelf {
    const known = this.#shelves.get(kind);
    if (known !== undefined) return known;
    const made = { objects: new Map(), changes: new ChangeLog() };
    this.#shelves.set(kind, made);
    return made;
  }
}
