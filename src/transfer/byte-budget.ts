import type { CallOptions } from '../lib/call-options.ts';
import { WaitQueue } from '../lib/wait-queue.ts';

const DEFAULT_BYTES = 32 * 1024 * 1024;

/**
 * Bytes of memory that several disks share, first come, first served. Something larger than the whole budget is let in when nothing else is held: better too much for a moment
 * than never.
 */
export class ByteBudget {
  readonly totalBytes: number;
  readonly #queue = new WaitQueue();
  #usedBytes = 0;
  #peakBytes = 0;

  /** @param totalBytes 32 MiB unless told */
  constructor(totalBytes = DEFAULT_BYTES) {
    this.totalBytes = totalBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The most that was held at once. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** @throws the signal's reason when aborted; nothing is held then */
  async acquire(bytes: number, options?: CallOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    const granted = this.#queue.wait(bytes, options);
    this.#serve();
    try {
      await granted;
    } finally {
      // Whoever gave up may have been the large one that the others stood behind.
      this.#serve();
    }
  }

  release(bytes: number): void {
    if (bytes > this.#usedBytes) throw new Error(`${bytes} bytes given back and only ${this.#usedBytes} held`);
    this.#usedBytes -= bytes;
    this.#serve();
  }

  #serve(): void {
    this.#queue.serve((bytes) => {
      if (this.#usedBytes > 0 && this.#usedBytes + bytes > this.totalBytes) return false;
      this.#usedBytes += bytes;
      this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
      return true;
    });
  }
}
