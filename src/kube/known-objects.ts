import type { KubernetesObject, ResourceKind } from '../domain/kubernetes-object.ts';
import type { ClusterEvent } from '../ports/cluster.ts';
import { keyOf } from './received-object.ts';

interface Known {
  readonly uid: string | undefined;
  readonly version: string | undefined;
  readonly round: number;
}

/** What a watch told of which object, and so what there is to tell. Holds names, uids and versions: about 200 bytes an object. */
export class KnownObjects<T extends KubernetesObject> {
  readonly #kind: ResourceKind<T>;
  readonly #known = new Map<string, Known>();
  #round = 0;

  constructor(kind: ResourceKind<T>) {
    this.#kind = kind;
  }

  /** Everything there is will be told by `set`; what is not by `endRound` is gone. A round may be begun again at any time. */
  beginRound(): void {
    this.#round += 1;
  }

  *endRound(): Generator<ClusterEvent<T>> {
    for (const [key, known] of this.#known) {
      if (known.round === this.#round) continue;
      this.#known.delete(key);
      yield { type: 'gone', object: this.#bare(key, known) };
    }
  }

  *set(object: T): Generator<ClusterEvent<T>> {
    const { uid, resourceVersion: version } = object.metadata;
    const key = keyOf(object.metadata);
    const known = this.#known.get(key);
    this.#known.set(key, { uid, version, round: this.#round });
    if (known !== undefined && known.uid !== uid) yield { type: 'gone', object: this.#bare(key, known) };
    if (known?.uid !== uid || known?.version !== version) yield { type: 'set', object };
  }

  *gone(object: T): Generator<ClusterEvent<T>> {
    if (this.#known.delete(keyOf(object.metadata))) yield { type: 'gone', object };
  }

  #bare(key: string, { uid, version }: Known): KubernetesObject {
    const { apiVersion, kind } = this.#kind;
    const [namespace, name = ''] = key.split('/');
    return {
      apiVersion,
      kind,
      metadata: {
        name,
        ...(namespace ? { namespace } : {}),
        ...(uid === undefined ? {} : { uid }),
        ...(version === undefined ? {} : { resourceVersion: version }),
      },
    };
  }
}
