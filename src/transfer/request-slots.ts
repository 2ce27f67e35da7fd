import type { CallOptions } from '../lib/call-options.ts';
import { WaitQueue } from '../lib/wait-queue.ts';
import type { Clock } from '../ports/clock.ts';
import { DepthTuner, type DepthTunerOptions } from './depth-tuner.ts';

/** The right to one request. */
export interface RequestSlot {
  received(bytes: number): void;
  /** The request failed, or had to be tried again. */
  failed(): void;
  /** A second call does nothing. */
  release(): void;
}

/** The requests to one server, of all disks that come from it: no more at once than the tuner thinks good, first come, first served. */
export class RequestSlots {
  readonly tuner: DepthTuner;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #queue = new WaitQueue();
  #inFlight = 0;

  constructor(options: DepthTunerOptions) {
    this.tuner = new DepthTuner(options);
    this.#clock = options.clock;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @throws the signal's reason when aborted */
  async acquire(options?: CallOptions): Promise<RequestSlot> {
    options?.signal?.throwIfAborted();
    const granted = this.#queue.wait(1, options);
    this.#serve();
    await granted;
    return this.#slot();
  }

  #slot(): RequestSlot {
    const startedMs = this.#clock.monotonicMs();
    let hasReceived = false;
    let isHeld = true;
    return {
      received: (bytes) => {
        if (!hasReceived) this.tuner.firstByte(this.#clock.monotonicMs() - startedMs);
        hasReceived = true;
        this.tuner.received(bytes);
        this.#serve();
      },
      failed: () => this.tuner.failed(),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#inFlight -= 1;
        this.tuner.setInFlight(this.#inFlight);
        this.#serve();
      },
    };
  }

  #serve(): void {
    this.#queue.serve(() => {
      if (this.#inFlight >= this.tuner.depth) return false;
      this.#inFlight += 1;
      this.tuner.setInFlight(this.#inFlight);
      return true;
    });
  }
}
