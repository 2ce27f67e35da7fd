import type { KubernetesObject, ResourceKind } from '../../domain/kubernetes-object.ts';

export type ClusterVerb = 'get' | 'list' | 'watch' | 'create' | 'apply' | 'patch' | 'replace' | 'delete';

export interface ClusterCall {
  /** Whose connection it came by. */
  readonly client: string;
  readonly verb: ClusterVerb;
  readonly kind: ResourceKind;
  /** Without a name for lists and watches. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: 'status' | undefined;
}

export interface ClusterWrite extends ClusterCall {
  readonly name: string;
  /** Counts the writes of all clients, from 1. */
  readonly number: number;
  /** Whether anything is different by it; a request was made all the same. */
  readonly isChange: boolean;
  /** What the object is after it; undefined after a delete. */
  readonly object: KubernetesObject | undefined;
}

/** Fits calls that have all of these; `kind` by its name. A function for anything else. */
export type CallMatcher =
  | ((call: ClusterCall) => boolean)
  | {
      readonly client?: string;
      readonly verb?: ClusterVerb;
      readonly kind?: string;
      readonly namespace?: string;
      readonly name?: string;
      readonly subresource?: 'status';
    };

export interface FailureOptions {
  /** How many calls fail; 1 unless told. */
  readonly times?: number;
  /** `after`: it is done, only the answer is lost. `before` unless told. */
  readonly when?: 'before' | 'after';
}

interface Failure {
  readonly fits: (call: ClusterCall) => boolean;
  readonly error: Error;
  readonly when: 'before' | 'after';
  left: number;
}

/** Every call passes here: what shall fail fails, and what was written is told. */
export class CallGate {
  readonly #failures: Failure[] = [];
  readonly #listeners = new Set<(write: ClusterWrite) => void>();
  #writes = 0;

  failNext(matcher: CallMatcher, error: Error, { times = 1, when = 'before' }: FailureOptions = {}): void {
    this.#failures.push({ fits: asPredicate(matcher), error, when, left: times });
  }

  onWrite(listener: (write: ClusterWrite) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws the error that was ordered for this call */
  check(call: ClusterCall, when: 'before' | 'after'): void {
    const failure = this.#failures.find((each) => each.when === when && each.left > 0 && each.fits(call));
    if (failure === undefined) return;
    failure.left -= 1;
    throw failure.error;
  }

  /** @throws what a listener throws, as if the answer were lost */
  wrote(write: Omit<ClusterWrite, 'number'>): void {
    this.#writes += 1;
    for (const listener of this.#listeners) listener({ ...write, number: this.#writes });
  }
}

function asPredicate(matcher: CallMatcher): (call: ClusterCall) => boolean {
  if (typeof matcher === 'function') return matcher;
  return (call) =>
    Object.entries(matcher).every(
      ([name, value]) => (name === 'kind' ? call.kind.kind : call[name as keyof ClusterCall]) === value,
    );
}
