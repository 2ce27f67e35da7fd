import type { KubernetesObject, ObjectMeta, ObjectRef, ResourceKind } from '../../domain/kubernetes-object.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DeleteOptions } from '../../ports/cluster.ts';
import type { ChangeLog } from './change-log.ts';
import { checkObject } from './check-object.ts';
import { applyFields, type FieldManagers, managersAfterUpdate } from './field-managers.ts';
import { asSent, type Fields, freezeDeep, without } from './fields.ts';
import { GarbageCollector } from './garbage-collector.ts';
import { mergePatch } from './merge-patch.ts';
import { changedState, newState } from './next-state.ts';
import { ObjectStore, type StoredObject } from './object-store.ts';
import { refusals } from './refusals.ts';
import { kindKey, listKeysOf, type ServedKind } from './served-kind.ts';

/** What a write is for: a subresource, or everything else. */
export type Part = 'object' | 'status';

/** Who writes, by name. */
export interface Writer {
  readonly manager: string;
  readonly force?: boolean | undefined;
}

/** The rules of the API over a store. Each call does all that it is asked for at once, or throws and does nothing. */
export class MemoryServer {
  readonly #kinds = new Map<string, ServedKind>();
  readonly #store = new ObjectStore();
  readonly #collector: GarbageCollector;
  readonly #clock: Clock;
  readonly #random: () => number;
  #willCollect = false;

  constructor(
    kinds: readonly ServedKind[],
    { clock, random }: { readonly clock: Clock; readonly random: () => number },
  ) {
    for (const served of kinds) this.install(served);
    this.#clock = clock;
    this.#random = random;
    this.#collector = new GarbageCollector({
      objects: () => [...this.#store.everything()].filter(([key]) => this.#kinds.has(key)),
      isServed: ({ apiVersion, kind }) =>
        [...this.#kinds.values()].some((each) => each.kind.apiVersion === apiVersion && each.kind.kind === kind),
      remove: (key, object) => this.#delete(this.#byKey(key), object, {}),
      edit: (key, object, metadata) => {
        const wanted = { ...object, metadata: { ...object.metadata, ...metadata } };
        this.#update(this.#byKey(key), this.#stored(key, object), wanted, 'object', { manager: 'garbage-collector' });
      },
    });
  }

  install(served: ServedKind): void {
    this.#kinds.set(kindKey(served.kind), served);
  }

  /** The kind is unknown from now on; its objects are kept. */
  uninstall(kind: ResourceKind): void {
    this.#kinds.delete(kindKey(kind));
  }

  get(kind: ResourceKind, ref: ObjectRef): KubernetesObject | undefined {
    return this.#store.get(kindKey(this.#served(kind).kind), keyOf(ref))?.object;
  }

  list(kind: ResourceKind): KubernetesObject[] {
    return this.#store.list(kindKey(this.#served(kind).kind));
  }

  changes(kind: ResourceKind): ChangeLog {
    return this.#store.changes(kindKey(this.#served(kind).kind));
  }

  /** The version of the last change of anything. */
  get version(): string {
    return this.#store.version;
  }

  compact(): void {
    this.#store.compact();
  }

  wakeWatches(): void {
    this.#store.wake();
  }

  /** Removes what lost its owners, until nothing is left to be removed; happens by itself after the change that makes something garbage. */
  collectGarbage(): void {
    this.#collector.collect();
  }

  create(kind: ResourceKind, given: KubernetesObject, writer: Writer): KubernetesObject {
    const served = this.#served(kind);
    const sent = asSent(given);
    if (sent.metadata.resourceVersion !== undefined) {
      throw refusals.invalid(kind, sent.metadata, 'resourceVersion should not be set on objects to be created');
    }
    if (served.answer) return freezeDeep(asSent(served.answer(sent)));
    const object = this.#complete(served, sent);
    const managers = managersAfterUpdate(new Map(), {}, { ...object }, writer.manager, keysFor(served));
    return this.#put(served, object, managers);
  }

  replace(kind: ResourceKind, given: KubernetesObject, writer: Writer): KubernetesObject {
    const served = this.#served(kind);
    const sent = asSent(given);
    if (sent.metadata.resourceVersion === undefined) {
      throw refusals.invalid(kind, sent.metadata, 'metadata.resourceVersion: must be specified for an update');
    }
    return this.#update(served, this.#existing(served, sent.metadata), { ...sent }, 'object', writer);
  }

  patch(kind: ResourceKind, ref: ObjectRef, patch: Fields, part: Part, writer: Writer): KubernetesObject {
    const served = this.#served(kind, part);
    const stored = this.#existing(served, ref);
    return this.#update(served, stored, mergePatch({ ...stored.object }, asSent(patch)) as Fields, part, writer);
  }

  apply(kind: ResourceKind, given: Pick<KubernetesObject, 'metadata'>, part: Part, writer: Writer): KubernetesObject {
    const served = this.#served(kind, part);
    const sent = asSent(given) as KubernetesObject & Fields;
    const options = { manager: managerOf(writer, part), force: writer.force === true, listKeys: keysFor(served) };
    const stored = this.#store.get(kindKey(kind), keyOf(sent.metadata));
    if (stored === undefined) {
      if (part === 'status' || sent.metadata.uid !== undefined) throw refusals.missing(kind, sent.metadata);
      const object = this.#complete(served, sent);
      const applied = applyFields({}, new Map(), { ...object }, options);
      return this.#put(served, object, 'managers' in applied ? applied.managers : new Map());
    }
    checkPreconditions(kind, stored.object, sent.metadata);
    const own = part === 'status' ? { status: sent.status } : without(sent, ...(served.hasStatus ? ['status'] : []));
    const applied = applyFields({ ...stored.object }, stored.managers, asSent(own), options);
    if ('managers' in applied) {
      return this.#settle(served, stored, changedState(served, stored.object, applied.object, part), applied.managers);
    }
    const conflicts = applied.map(({ manager, fields }) => `${fields.join(', ')} belongs to ${manager}`);
    throw refusals.conflict(kind, sent.metadata, conflicts.join('; '));
  }

  delete(kind: ResourceKind, ref: ObjectRef, options: DeleteOptions): void {
    const served = this.#served(kind);
    const object = this.#store.get(kindKey(kind), keyOf(ref))?.object;
    if (object !== undefined) this.#delete(served, object, options);
  }

  #delete(served: ServedKind, object: KubernetesObject, { uid, resourceVersion, propagation }: DeleteOptions): void {
    checkPreconditions(served.kind, object, { uid, resourceVersion });
    const { metadata } = object;
    const finalizers = [...new Set([...(metadata.finalizers ?? []), ...finalizersOf(propagation)])];
    if (finalizers.length === 0) this.#remove(served, object);
    else if (metadata.deletionTimestamp === undefined) {
      const generation = metadata.generation === undefined ? {} : { generation: metadata.generation + 1 };
      const deletion = { deletionTimestamp: this.#now(), deletionGracePeriodSeconds: 0 };
      const marked = { ...object, metadata: { ...metadata, ...generation, ...deletion, finalizers } };
      this.#put(served, marked, this.#stored(kindKey(served.kind), object).managers);
    }
  }

  #update(served: ServedKind, stored: StoredObject, wanted: Fields, part: Part, writer: Writer): KubernetesObject {
    const { object: before, managers } = stored;
    checkPreconditions(served.kind, before, (wanted.metadata ?? {}) as Partial<ObjectMeta>);
    const after = changedState(served, before, wanted, part);
    const owners = managersAfterUpdate(managers, { ...before }, { ...after }, managerOf(writer, part), keysFor(served));
    return this.#settle(served, stored, after, owners);
  }

  /** Stores what became of an object, if anything did; the last change of one that is being deleted removes it. */
  #settle(
    served: ServedKind,
    before: StoredObject,
    after: KubernetesObject,
    managers: FieldManagers,
  ): KubernetesObject {
    if (after === before.object && managers === before.managers) return after;
    checkObject(served, after, before.object);
    const isOver = after.metadata.deletionTimestamp !== undefined && !after.metadata.finalizers?.length;
    return isOver ? this.#remove(served, after) : this.#put(served, after, managers);
  }

  #complete(served: ServedKind, sent: KubernetesObject): KubernetesObject {
    const { name = '', generateName } = sent.metadata as Partial<ObjectMeta>;
    const given = name === '' && generateName !== undefined ? `${generateName}${this.#letters(5)}` : name;
    const object = newState(served, sent, { name: given, uid: this.#newUid(), now: this.#now() });
    checkObject(served, object, undefined);
    if (this.#store.get(kindKey(served.kind), keyOf(object.metadata)))
      throw refusals.exists(served.kind, object.metadata);
    return object;
  }

  #put(served: ServedKind, object: KubernetesObject, managers: FieldManagers): KubernetesObject {
    const versioned = this.#withNextVersion(object);
    this.#store.put(kindKey(served.kind), keyOf(object.metadata), { object: versioned, managers });
    const { ownerReferences = [], finalizers = [], namespace } = object.metadata;
    const isGarbage = ownerReferences.some(({ uid }) => !this.#store.hasOwner(uid, namespace));
    if (isGarbage || finalizers.some((each) => COLLECTORS_OWN.includes(each))) this.#collectSoon();
    return versioned;
  }

  #remove(served: ServedKind, object: KubernetesObject): KubernetesObject {
    const last = this.#withNextVersion(object);
    this.#store.remove(kindKey(served.kind), keyOf(object.metadata), last);
    this.#collectSoon();
    return last;
  }

  #collectSoon(): void {
    if (this.#willCollect) return;
    this.#willCollect = true;
    setImmediate(() => {
      this.#willCollect = false;
      this.#collector.collect();
    });
  }

  #withNextVersion(object: KubernetesObject): KubernetesObject {
    return freezeDeep({ ...object, metadata: { ...object.metadata, resourceVersion: this.#store.nextVersion } });
  }

  #served(kind: ResourceKind, part: Part = 'object'): ServedKind {
    const served = this.#kinds.get(kindKey(kind));
    if (served === undefined || (part === 'status' && !served.hasStatus)) throw refusals.kindMissing(kind, part);
    return served;
  }

  #byKey(key: string): ServedKind {
    const served = this.#kinds.get(key);
    if (served === undefined) throw new Error(`${key} is not served, but its objects are handled`);
    return served;
  }

  #existing(served: ServedKind, ref: ObjectRef): StoredObject {
    const stored = this.#store.get(kindKey(served.kind), keyOf(ref));
    if (stored === undefined) throw refusals.missing(served.kind, ref);
    return stored;
  }

  #stored(key: string, { metadata }: KubernetesObject): StoredObject {
    return this.#existing(this.#byKey(key), metadata);
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  /** Version 4, by the given chance, so that a test with a seed is the same every time. */
  #newUid(): string {
    const digit = () => Math.floor(this.#random() * 16).toString(16);
    return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replaceAll('x', digit);
  }

  #letters(count: number): string {
    const letters = 'bcdfghjklmnpqrstvwxz2456789';
    return Array.from({ length: count }, () => letters[Math.floor(this.#random() * letters.length)]).join('');
  }
}

function keyOf({ namespace, name }: ObjectRef): string {
  return `${namespace ?? ''}/${name}`;
}

function keysFor(served: ServedKind) {
  return (path: string) => listKeysOf(served, path);
}

/** Writers of the status are managers of their own. */
function managerOf({ manager }: Writer, part: Part): string {
  return part === 'status' ? `${manager} (status)` : manager;
}

/** What the garbage collector is asked for by a finalizer. */
const COLLECTORS_OWN: readonly string[] = ['foregroundDeletion', 'orphan'];

function finalizersOf(propagation: DeleteOptions['propagation']): readonly string[] {
  if (propagation === 'Foreground') return ['foregroundDeletion'];
  return propagation === 'Orphan' ? ['orphan'] : [];
}

function checkPreconditions(
  kind: ResourceKind,
  object: KubernetesObject,
  wanted: Partial<ObjectMeta> | DeleteOptions,
): void {
  const { uid, resourceVersion } = object.metadata;
  if (wanted.uid !== undefined && wanted.uid !== uid) {
    throw refusals.conflict(kind, object.metadata, `its uid is ${uid}, not ${wanted.uid}`);
  }
  if (wanted.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    throw refusals.conflict(
      kind,
      object.metadata,
      `it was changed meanwhile: ${resourceVersion}, not ${wanted.resourceVersion}`,
    );
  }
}
