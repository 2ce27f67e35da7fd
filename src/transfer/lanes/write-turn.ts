/**
 * One lane at a time writes to a disk. File systems let one writer at a file anyway, and those who wait there spin: two lanes then burn a processor for nothing. Here they sleep, and
 * what they wait for is short.
 */
export class WriteTurn {
  readonly #state: Int32Array;

  /** @param memory 4 bytes that all lanes share, zero at first */
  constructor(memory: SharedArrayBuffer) {
    this.#state = new Int32Array(memory);
  }

  static makeMemory(): SharedArrayBuffer {
    return new SharedArrayBuffer(4);
  }

  /** Does `write` when no other lane writes. Blocks the thread. */
  take<T>(write: () => T): T {
    while (Atomics.compareExchange(this.#state, 0, FREE, TAKEN) !== FREE) Atomics.wait(this.#state, 0, TAKEN);
    try {
      return write();
    } finally {
      Atomics.store(this.#state, 0, FREE);
      Atomics.notify(this.#state, 0, 1);
    }
  }
}

const FREE = 0;
const TAKEN = 1;
