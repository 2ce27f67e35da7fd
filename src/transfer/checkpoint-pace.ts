import type { Clock } from '../ports/clock.ts';

export interface PaceOptions {
  readonly clock: Clock;
  /** A checkpoint is due after so many bytes from the source, or so much time, whichever is first. */
  readonly everyBytes: number;
  readonly everyMs: number;
  /** Further than this the copy does not run ahead of the checkpoint being saved. */
  readonly limitBytes: number;
  /** Takes stock at once, then makes that durable and stores it. */
  readonly save: () => Promise<void>;
}

/** Saves checkpoints beside the copy, one at a time: the pipeline is not drained for them, and held back only where storage cannot follow at all. */
export class CheckpointPace {
  readonly #options: PaceOptions;
  #bytes = 0;
  #dueBytes: number;
  #startedBytes = 0;
  #startedMs: number;
  #saving: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#dueBytes = options.everyBytes;
    this.#startedMs = options.clock.monotonicMs();
  }

  /**
   * So many bytes came from the source. On a slow link they come for long before there is work, many parts side by side; what became done before that is saved when its time has come all
   * the same.
   */
  count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isTime && this.#failure === undefined) this.#saveWhenDue();
  }

  /** Returns at once as long as checkpoints keep up. @throws what saving met */
  async keepUp(): Promise<void> {
    this.#throwFailure();
    this.#saveWhenDue();
    while (this.#saving !== undefined && this.#bytes - this.#startedBytes > this.#options.limitBytes)
      await this.#saving;
    this.#throwFailure();
  }

  /** Returns when none is being saved; whether it succeeded is told by `keepUp`. */
  async settle(): Promise<void> {
    await this.#saving;
  }

  get #isTime(): boolean {
    const { clock, everyMs } = this.#options;
    return clock.monotonicMs() - this.#startedMs >= everyMs;
  }

  #saveWhenDue(): void {
    const { clock, everyBytes, save } = this.#options;
    const isDue = this.#bytes >= this.#dueBytes || this.#isTime;
    if (!isDue || this.#saving !== undefined) return;
    this.#startedBytes = this.#bytes;
    this.#startedMs = clock.monotonicMs();
    this.#dueBytes = this.#bytes + everyBytes;
    this.#saving = save()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#saving = undefined;
      });
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
