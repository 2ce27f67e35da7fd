import { setImmediate } from 'node:timers/promises';
import { ProblemError } from '../domain/problems.ts';
import type { Clock } from '../ports/clock.ts';
import type { ImageFile } from '../ports/image-file.ts';
import type { RateLimiter } from '../ports/transfer.ts';
import type { Segment } from './plan-segments.ts';
import { RequestProgress } from './request-progress.ts';
import type { RequestSlot } from './request-slots.ts';

export interface SegmentRequestParts {
  readonly file: ImageFile;
  readonly segment: Segment;
  /** As long as the segment. */
  readonly into: Uint8Array;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly limiter?: RateLimiter | undefined;
  /** Counts the bytes that came, also those that came twice. */
  readonly onFetched: (bytes: number) => void;
}

interface Attempt {
  readonly controller: AbortController;
  readonly progress: RequestProgress;
  readonly slot: RequestSlot;
  /** File offset of the next byte. */
  at: number;
}

/**
 * Fetches one segment, if need be twice: what is still missing of it can be asked for once more while the first request goes on. The first one to have everything wins and the
 * other is stopped; the segment fails when no request is left.
 */
export class SegmentRequest {
  readonly segment: Segment;
  /** Settles with the segment; later nothing is written to its memory. @throws ProblemError `DiskImageTruncated`, `SourceRangeIgnored` and the problems of the source */
  readonly whole: Promise<RequestProgress>;
  readonly #parts: SegmentRequestParts;
  readonly #attempts = new Set<Attempt>();
  readonly #ended: Promise<void>[] = [];
  #isSettled = false;
  #succeed: (winner: RequestProgress) => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(parts: SegmentRequestParts, slot: RequestSlot) {
    this.#parts = parts;
    this.segment = parts.segment;
    this.whole = new Promise((resolve, reject) => {
      this.#succeed = resolve;
      this.#fail = reject;
    });
    this.#start(slot, parts.segment.from);
  }

  /** Progress of the only request under way; undefined when there are two, or none any more. */
  get lone(): RequestProgress | undefined {
    return this.#lone?.progress;
  }

  /** Asks for what is missing once more; false when there is nothing to ask for any more. Then the slot was not taken. */
  askAgain(slot: RequestSlot): boolean {
    const attempt = this.#lone;
    if (attempt !== undefined) this.#start(slot, attempt.at);
    return attempt !== undefined;
  }

  /** Stops all requests; the segment fails with `reason` unless it is whole. */
  stop(reason: unknown): void {
    this.#settle(() => this.#fail(reason), reason);
  }

  /** Returns when nothing of it is under way any more. */
  async ended(): Promise<void> {
    for (const each of this.#ended) await each;
  }

  get #lone(): Attempt | undefined {
    const [attempt, second] = this.#attempts;
    return this.#isSettled || second !== undefined ? undefined : attempt;
  }

  #start(slot: RequestSlot, from: number): void {
    const { clock } = this.#parts;
    const attempt: Attempt = {
      controller: new AbortController(),
      progress: new RequestProgress(clock),
      slot,
      at: from,
    };
    this.#attempts.add(attempt);
    this.#ended.push(this.#run(attempt));
  }

  async #run(attempt: Attempt): Promise<void> {
    try {
      await this.#receive(attempt);
      this.#attempts.delete(attempt);
      this.#settle(() => this.#succeed(attempt.progress), new Error('another request was faster'));
    } catch (error) {
      this.#attempts.delete(attempt);
      // Whoever lost was told to stop, and what it throws is just that.
      if (this.#isSettled) return;
      attempt.slot.failed();
      if (this.#attempts.size === 0) this.#settle(() => this.#fail(error), error);
    } finally {
      // A connection can be used again one turn after the end of its answer; asked earlier, the client would open one more.
      await setImmediate();
      attempt.slot.release();
    }
  }

  async #receive(attempt: Attempt): Promise<void> {
    const { file, segment, into, limiter, onFetched } = this.#parts;
    const { signal } = attempt.controller;
    const onRetry = () => attempt.slot.failed();
    for await (const piece of file.stream({ from: attempt.at, to: segment.to, signal, onRetry })) {
      if (this.#isSettled) return;
      attempt.slot.received(piece.length);
      attempt.progress.received(piece.length);
      onFetched(piece.length);
      if (attempt.at + piece.length > segment.to) {
        throw new ProblemError(
          'SourceRangeIgnored',
          `${file.name}: bytes ${segment.from} to ${segment.to - 1} were asked for and more came`,
        );
      }
      into.set(piece, attempt.at - segment.from);
      attempt.at += piece.length;
      if (limiter !== undefined) await attempt.progress.hold(() => limiter.take(piece.length, { signal }));
    }
    if (attempt.at < segment.to) {
      throw new ProblemError(
        'DiskImageTruncated',
        `${file.name} ends at byte ${attempt.at}; ${segment.to - segment.from} bytes were expected from byte ${segment.from}`,
        { context: { position: attempt.at } },
      );
    }
  }

  #settle(tell: () => void, reason: unknown): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    tell();
    for (const { controller } of this.#attempts) controller.abort(reason);
  }
}
