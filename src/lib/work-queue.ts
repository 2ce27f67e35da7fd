import { type BackoffShape, backoffMs } from './backoff.ts';
import type { CallOptions } from './call-options.ts';
import { DueHeap } from './due-heap.ts';

/** What the queue needs of a clock (ports/clock.ts). */
export interface QueueClock {
  monotonicMs(): number;
  delay(ms: number, options?: CallOptions): Promise<void>;
}

/** When to look at a key again: not by itself, after a known time, or after a time that grows while this goes on. */
export type Requeue = undefined | { readonly afterMs: number } | 'backoff';

export interface WorkQueueOptions {
  /** Never called for one key twice at once. What it throws is told to `onError` and means `backoff`. */
  readonly process: (key: string) => Promise<Requeue>;
  /** How many keys at once, at most. */
  readonly concurrency: number;
  readonly clock: QueueClock;
  /** In [0, 1). */
  readonly random: () => number;
  /** 1 s doubling to 5 min unless told. */
  readonly backoff?: BackoffShape | undefined;
  readonly onError: (key: string, error: unknown, failures: number) => void;
  readonly hooks?: WorkQueueHooks | undefined;
}

/** For metrics. */
export interface WorkQueueHooks {
  /** A key begins, so long after it was due. */
  readonly began?: ((key: string, waitedMs: number) => void) | undefined;
  readonly ended?: ((key: string, tookMs: number, outcome: 'done' | 'later' | 'backoff' | 'error') => void) | undefined;
}

const BACKOFF: BackoffShape = { firstMs: 1_000, capMs: 300_000 };

/**
 * Keys to be looked at: many at once, one key never twice at once.
 *
 *     add --> waiting --> being processed --> gone, or due later --> waiting
 *                 ^             |
 *                 '-- changed --'   (added while it was processed: once more at once)
 *
 * A key that waits already is not queued again. Adding a key that is due later brings it forward: something changed, so the reason to wait may be gone. Its failures still count.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Waiting keys in order, with the time since when. */
  readonly #waiting = new Map<string, number>();
  readonly #later = new DueHeap<string>();
  /** Being processed; true when it changed meanwhile. */
  readonly #running = new Map<string, boolean>();
  readonly #failures = new Map<string, number>();
  #isDraining = false;
  #alarm: { readonly atMs: number; readonly controller: AbortController } | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait for their turn; those that are due later do not count. */
  get depth(): number {
    return this.#waiting.size;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Keys that are due later. */
  get scheduled(): number {
    return this.#later.size;
  }

  add(key: string): void {
    if (this.#isDraining) return;
    this.#later.delete(key);
    if (this.#running.has(key)) this.#running.set(key, true);
    else if (!this.#waiting.has(key)) this.#waiting.set(key, this.#options.clock.monotonicMs());
    this.#begin();
  }

  /** Adds the key after a time. Of several times the earliest counts, and being processed for another reason before makes it void. */
  addAfter(key: string, ms: number): void {
    if (this.#isDraining || this.#waiting.has(key)) return;
    this.#later.add(key, this.#options.clock.monotonicMs() + ms);
    this.#setAlarm();
  }

  /** The key is of no interest any more: its failures, its time and its place are forgotten. One that is being processed says itself how it goes on. */
  forget(key: string): void {
    this.#failures.delete(key);
    this.#later.delete(key);
    this.#waiting.delete(key);
  }

  /** Begins nothing any more; returns when everything that was begun has ended. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#waiting.clear();
    this.#alarm?.controller.abort();
    if (this.#running.size === 0) return;
    const before = this.#onIdle;
    await new Promise<void>((resolve) => {
      this.#onIdle = () => {
        before?.();
        resolve();
      };
    });
  }

  #begin(): void {
    for (const [key, sinceMs] of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      this.#waiting.delete(key);
      this.#running.set(key, false);
      void this.#process(key, sinceMs);
    }
  }

  async #process(key: string, sinceMs: number): Promise<void> {
    const { clock, hooks } = this.#options;
    const beganMs = clock.monotonicMs();
    hooks?.began?.(key, beganMs - sinceMs);
    let requeue: Requeue;
    let isError = false;
    try {
      requeue = await this.#options.process(key);
    } catch (error) {
      requeue = 'backoff';
      isError = true;
      this.#options.onError(key, error, (this.#failures.get(key) ?? 0) + 1);
    }
    hooks?.ended?.(key, clock.monotonicMs() - beganMs, isError ? 'error' : outcomeOf(requeue));
    this.#settle(key, requeue);
  }

  #settle(key: string, requeue: Requeue): void {
    const isChanged = this.#running.get(key) === true;
    this.#running.delete(key);
    const failures = requeue === 'backoff' ? (this.#failures.get(key) ?? 0) + 1 : 0;
    if (failures === 0) this.#failures.delete(key);
    else this.#failures.set(key, failures);
    if (isChanged) this.add(key);
    else if (requeue === 'backoff') {
      this.addAfter(key, backoffMs(failures, this.#options.backoff ?? BACKOFF, this.#options.random));
    } else if (requeue !== undefined) this.addAfter(key, requeue.afterMs);
    this.#begin();
    if (this.#running.size === 0) this.#onIdle?.();
  }

  /** One timer for all that is due later. */
  #setAlarm(): void {
    const atMs = this.#later.firstAtMs();
    if (atMs === undefined || (this.#alarm !== undefined && this.#alarm.atMs <= atMs)) return;
    this.#alarm?.controller.abort();
    const controller = new AbortController();
    const alarm = { atMs, controller };
    this.#alarm = alarm;
    const { clock } = this.#options;
    clock.delay(Math.max(0, atMs - clock.monotonicMs()), { signal: controller.signal }).then(
      () => {
        if (this.#alarm === alarm) this.#alarm = undefined;
        this.#ring();
      },
      // Aborted because an earlier one took its place, or because everything ends.
      () => {},
    );
  }

  #ring(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (let key = this.#later.takeDue(nowMs); key !== undefined; key = this.#later.takeDue(nowMs)) this.add(key);
    this.#setAlarm();
  }
}

function outcomeOf(requeue: Requeue): 'done' | 'later' | 'backoff' {
  if (requeue === undefined) return 'done';
  return requeue === 'backoff' ? 'backoff' : 'later';
}
