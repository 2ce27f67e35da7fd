import type { KubernetesObject, ObjectMeta, OwnerReference } from '../../domain/kubernetes-object.ts';

export type Owned = readonly [kind: string, object: KubernetesObject];

/** What the collector asks of the server. The kind is the store's key of it. */
export interface GarbageActions {
  /** Everything of the kinds that are served. */
  objects(): Iterable<Owned>;
  isServed(owner: OwnerReference): boolean;
  remove(kind: string, object: KubernetesObject): void;
  edit(kind: string, object: KubernetesObject, metadata: Partial<ObjectMeta>): void;
}

/**
 * Removes objects all of whose owners are gone, as Kubernetes' own collector does: by uid, so that a new object of the owner's name is no owner; an owner in another namespace is
 * none either; and nothing is said about owners of unknown kinds. Owners that were deleted in the foreground go once their dependants are gone, those deleted as orphaning once
 * their dependants do not name them any more.
 */
export class GarbageCollector {
  readonly #actions: GarbageActions;

  constructor(actions: GarbageActions) {
    this.#actions = actions;
  }

  collect(): void {
    while (this.#collectOnce());
  }

  /** Whether something was done, so that there may be more to do. */
  #collectOnce(): boolean {
    const all = [...this.#actions.objects()];
    const byUid = new Map(all.map(([, object]) => [object.metadata.uid, object]));
    const owned = all.filter(([, { metadata }]) => metadata.ownerReferences?.length);
    let isBusy = false;
    for (const [kind, object] of owned) {
      if (object.metadata.deletionTimestamp !== undefined || !this.#isGarbage(object, byUid)) continue;
      this.#actions.remove(kind, object);
      isBusy = true;
    }
    for (const [kind, owner] of all) {
      if (owner.metadata.deletionTimestamp === undefined) continue;
      const dependants = owned.filter(([, { metadata }]) =>
        metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid),
      );
      if (this.#finishOrphaning(kind, owner, dependants) || this.#finishForeground(kind, owner, dependants))
        isBusy = true;
    }
    return isBusy;
  }

  #isGarbage({ metadata }: KubernetesObject, byUid: ReadonlyMap<string | undefined, KubernetesObject>): boolean {
    const isGone = (reference: OwnerReference) => {
      const owner = byUid.get(reference.uid);
      if (owner === undefined) return this.#actions.isServed(reference);
      return owner.metadata.namespace !== undefined && owner.metadata.namespace !== metadata.namespace;
    };
    return metadata.ownerReferences?.every(isGone) === true;
  }

  #finishOrphaning(kind: string, owner: KubernetesObject, dependants: readonly Owned[]): boolean {
    if (!owner.metadata.finalizers?.includes('orphan')) return false;
    for (const [dependantKind, dependant] of dependants) {
      const ownerReferences = (dependant.metadata.ownerReferences ?? []).filter(
        ({ uid }) => uid !== owner.metadata.uid,
      );
      this.#actions.edit(dependantKind, dependant, { ownerReferences });
    }
    this.#dropFinalizer(kind, owner, 'orphan');
    return true;
  }

  #finishForeground(kind: string, owner: KubernetesObject, dependants: readonly Owned[]): boolean {
    if (!owner.metadata.finalizers?.includes('foregroundDeletion')) return false;
    const blocking = dependants.filter(([, { metadata }]) =>
      metadata.ownerReferences?.some(({ uid, blockOwnerDeletion }) => uid === owner.metadata.uid && blockOwnerDeletion),
    );
    const fresh = dependants.filter(([, { metadata }]) => metadata.deletionTimestamp === undefined);
    for (const [dependantKind, dependant] of fresh) this.#actions.remove(dependantKind, dependant);
    if (blocking.length > 0) return fresh.length > 0;
    this.#dropFinalizer(kind, owner, 'foregroundDeletion');
    return true;
  }

  #dropFinalizer(kind: string, owner: KubernetesObject, finalizer: string): void {
    this.#actions.edit(kind, owner, {
      finalizers: (owner.metadata.finalizers ?? []).filter((each) => each !== finalizer),
    });
  }
}
