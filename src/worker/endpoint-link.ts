import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

/**
 * Whether the endpoint answers, as the last calls to it showed: of each kind the last one, since a controller that takes reports while it cannot store checkpoints is as good as away. Everything
 * that should pause meanwhile looks here.
 */
export class EndpointLink {
  readonly #failing = new Set<string>();
  #waiting = new Set<() => void>();
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #onChange: (isAway: boolean) => void;
  #answeredMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>, onChange: (isAway: boolean) => void = () => {}) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#answeredMs = clock.monotonicMs();
  }

  get isAway(): boolean {
    return this.#failing.size > 0;
  }

  /** Time since it answered anything at all, and so confirmed that this run is the current one. */
  get silentMs(): number {
    return this.#clock.monotonicMs() - this.#answeredMs;
  }

  answered(kind: string): void {
    this.#answeredMs = this.#clock.monotonicMs();
    if (!this.#failing.delete(kind) || this.isAway) return;
    this.#onChange(false);
    for (const wake of this.#waiting) wake();
    this.#waiting = new Set();
  }

  failed(kind: string): void {
    const wasAway = this.isAway;
    this.#failing.add(kind);
    if (!wasAway) this.#onChange(true);
  }

  /** Returns at once while it answers. @throws the signal's reason when aborted */
  async whenBack({ signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (!this.isAway) return;
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        this.#waiting.delete(wake);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      this.#waiting.add(wake);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
