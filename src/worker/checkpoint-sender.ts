import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

export interface CheckpointSenderOptions<T> {
  readonly clock: Clock;
  /** From when one was stored to the next; ten seconds unless told. */
  readonly everyMs?: number | undefined;
  /** Returns once it is stored; tries for as long as it takes. */
  readonly send: (checkpoint: T, options: CallOptions) => Promise<void>;
  readonly onStored: (checkpoint: T) => void;
  /** Told when one cannot be stored, and so none any more. */
  readonly onFailed: (error: unknown) => void;
}

/** Six a minute (ruling 18). */
const EVERY_MS = 10_000;

/**
 * Stores checkpoints at the controller's pace instead of the engine's: of those that were made since the last one was stored only the newest is sent. An older one than could be is no
 * mistake, it only makes a resume copy more.
 */
export class CheckpointSender<T> implements AsyncDisposable {
  readonly #options: CheckpointSenderOptions<T>;
  readonly #stop = new AbortController();
  #newest: { readonly checkpoint: T } | undefined;
  #sending: Promise<void> | undefined;
  #hurry = new AbortController();
  #nextMs = Number.NEGATIVE_INFINITY;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: CheckpointSenderOptions<T>) {
    this.#options = options;
  }

  /** @throws what storing an earlier one met */
  offer(checkpoint: T): void {
    this.#throwFailure();
    this.#newest = { checkpoint };
    this.#sending ??= this.#sendAll();
  }

  /** Returns when the newest one is stored, without waiting for its turn. @throws what storing met, or the signal's reason */
  async flush({ signal }: CallOptions = {}): Promise<void> {
    const abort = () => this.#stop.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      this.#hurry.abort();
      await this.#sending;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    this.#throwFailure();
  }

  /** Forgets what was not sent yet, and returns when nothing is being sent. */
  async drop(): Promise<void> {
    this.#newest = undefined;
    this.#hurry.abort();
    await this.#sending;
    this.#throwFailure();
  }

  /** Gives up what was not stored yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#newest = undefined;
    this.#stop.abort(new Error('the transfer is over'));
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    const { clock, send, onStored, onFailed, everyMs = EVERY_MS } = this.#options;
    const { signal } = this.#stop;
    this.#hurry = new AbortController();
    try {
      while (this.#newest !== undefined) {
        await this.#waitForTurn();
        const next: { readonly checkpoint: T } | undefined = this.#newest;
        this.#newest = undefined;
        if (next === undefined) break;
        await send(next.checkpoint, { signal });
        this.#nextMs = clock.monotonicMs() + everyMs;
        onStored(next.checkpoint);
      }
    } catch (error) {
      this.#failure ??= { error };
      if (!signal.aborted) onFailed(error);
    } finally {
      this.#sending = undefined;
    }
  }

  /** The first one goes at once: it says that there is something to continue. */
  async #waitForTurn(): Promise<void> {
    const { clock } = this.#options;
    const waitMs = this.#nextMs - clock.monotonicMs();
    if (waitMs <= 0 || this.#hurry.signal.aborted) return;
    try {
      await clock.delay(waitMs, { signal: AbortSignal.any([this.#stop.signal, this.#hurry.signal]) });
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      if (!this.#hurry.signal.aborted) throw error;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
