import type { CallOptions } from './call-options.ts';

interface Waiter {
  readonly begin: () => void;
}

/** A number of places to work at, given out group by group in turn: a group with much to do does not keep the others waiting. */
export class FairSlots {
  readonly #count: number;
  #taken = 0;
  /** In the order of their next turn; only groups in which somebody waits. */
  readonly #groups = new Map<string, Waiter[]>();

  constructor(count: number) {
    this.#count = count;
  }

  /** Does `act` when a place is free. @throws the signal's reason when aborted before, and what `act` throws */
  async run<T>(group: string, act: () => Promise<T>, options: CallOptions = {}): Promise<T> {
    await this.#wait(group, options);
    try {
      return await act();
    } finally {
      this.#taken -= 1;
      this.#serve();
    }
  }

  async #wait(group: string, { signal }: CallOptions): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        begin: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = () => {
        this.#forget(group, waiter);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      const waiting = this.#groups.get(group);
      if (waiting === undefined) this.#groups.set(group, [waiter]);
      else waiting.push(waiter);
      this.#serve();
    });
  }

  #serve(): void {
    while (this.#taken < this.#count) {
      const [next] = this.#groups;
      if (next === undefined) return;
      const [group, waiting] = next;
      const waiter = waiting.shift();
      // To the end of the line, if more of it wait.
      this.#groups.delete(group);
      if (waiting.length > 0) this.#groups.set(group, waiting);
      this.#taken += 1;
      waiter?.begin();
    }
  }

  #forget(group: string, waiter: Waiter): void {
    const waiting = this.#groups.get(group)?.filter((each) => each !== waiter) ?? [];
    if (waiting.length === 0) this.#groups.delete(group);
    else this.#groups.set(group, waiting);
  }
}
