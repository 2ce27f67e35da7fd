import type { CallOptions } from './call-options.ts';

interface Waiter {
  readonly amount: number;
  readonly grant: () => void;
}

/** Those who wait for a share of something scarce, first come, first served: nobody is overtaken, so nobody starves. */
export class WaitQueue {
  readonly #waiters: Waiter[] = [];

  get length(): number {
    return this.#waiters.length;
  }

  /**
   * Returns once `serve` granted the amount; what was granted then belongs to the caller. An aborted wait was not granted.
   * @throws the signal's reason when aborted
   */
  async wait(amount: number, { signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        amount,
        grant() {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Grants in order for as long as `take` says that it took the amount for the waiter. */
  serve(take: (amount: number) => boolean): void {
    for (let first = this.#waiters[0]; first !== undefined && take(first.amount); first = this.#waiters[0]) {
      this.#waiters.shift();
      first.grant();
    }
  }
}
