import type { KubernetesObject } from '../../domain/kubernetes-object.ts';

export interface Change {
  /** Undefined for what was created. */
  readonly before: KubernetesObject | undefined;
  /** Undefined for what was removed. */
  readonly after: KubernetesObject | undefined;
  /** Of what was removed: how it was at the end. */
  readonly last?: KubernetesObject;
}

/** More than any watch should lag behind; the oldest half goes when it is reached. */
const MOST_CHANGES = 20_000;

/** The changes of one kind in order, each with a number; the older ones are forgotten some day. */
export class ChangeLog {
  #changes: Change[] = [];
  /** The number of the first change that is still known. */
  #first = 0;
  #waiting: (() => void)[] = [];

  /** The number that the next change will have. */
  get next(): number {
    return this.#first + this.#changes.length;
  }

  append(change: Change): void {
    this.#changes.push(change);
    if (this.#changes.length > MOST_CHANGES) this.#forget(MOST_CHANGES / 2);
    this.wake();
  }

  /** Undefined when it has not happened yet, `forgotten` when it was too long ago. */
  at(number: number): Change | 'forgotten' | undefined {
    return number < this.#first ? 'forgotten' : this.#changes[number - this.#first];
  }

  compact(): void {
    this.#forget(this.#changes.length);
  }

  /** Lets everybody who waits look again. */
  wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Returns after the next change, or when woken, or when aborted. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      signal?.addEventListener('abort', wake, { once: true });
      this.#waiting.push(wake);
    });
  }

  #forget(count: number): void {
    this.#changes = this.#changes.slice(count);
    this.#first += count;
  }
}
