import { setImmediate } from 'node:timers/promises';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { EncodedRange } from '../ports/disk-reader.ts';
import type { ImageFile } from '../ports/image-file.ts';
import type { RateLimiter } from '../ports/transfer.ts';
import { DigestQueue } from './digest-queue.ts';
import { planSegments, type Segment } from './plan-segments.ts';
import { UsualRate } from './request-progress.ts';
import type { RequestSlot, RequestSlots } from './request-slots.ts';
import { SegmentRequest } from './segment-request.ts';
import type { Slab, SlabPool } from './slab-pool.ts';
import type { StoredDigest } from './stored-digest.ts';

export interface FetchWindowOptions extends CallOptions {
  /** `EncodedRange.file` is an index into this list. */
  readonly files: readonly ImageFile[];
  /** One per file that has digests to be checked, with a hole where there are none. Such a file is read whole from the digest's position on, and its size must be known. */
  readonly digests: readonly (StoredDigest | undefined)[];
  /** Memory for everything fetched and not yet released; may be shared by several disks. */
  readonly pool: SlabPool;
  /** One per server, shared by all disks that come from it. */
  readonly slots: RequestSlots;
  readonly clock: Clock;
  readonly limiter?: RateLimiter | undefined;
  /** Counts the bytes that came from the source, also those that came twice or were fetched for a digest alone. */
  readonly onFetched: (bytes: number) => void;
  /** Called when the rest of a slow request is asked for once more. */
  readonly onAskedAgain?: (() => void) | undefined;
}

export interface FetchedItem {
  /** The very objects that were handed in: one or several neighbours of one file. */
  readonly ranges: readonly EncodedRange[];
  /** Where `bytes` begins in the file. */
  readonly fileOffset: number;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Gives the memory back, at the latest when the consumer is at its end, and not first when a later item has come: that one may be waiting for the memory. */
  release(): void;
}

export interface FetchWindow extends AsyncIterableIterator<FetchedItem, undefined> {
  /** Stops everything at once, also while a `next` is waiting, and returns when it has stopped. */
  return(): Promise<IteratorResult<FetchedItem, undefined>>;
}

/** Items that wait for the consumer: those without bytes are bounded by nothing else. */
const MAX_READY = 64;
const WATCH_MS = 250;
/** One more request is spent on the rest of a slow one, at most once in so many requests. */
const REQUESTS_PER_REPEAT = 8;

/**
 * Fetches ranges through several requests at once and yields each exactly once, as soon as its bytes are there and in any order. Ranges that lie close together are joined to
 * one request, and come together. Ranges must not have bytes; empty ones are yielded at once, before ranges that came earlier, so whoever minds the order (`closesLeaves`)
 * numbers the ranges on their way in. Nothing is pulled before the first item is asked for.
 *
 *   ranges -> segments -> memory (in file order) -> request slot -> bytes -> consumer, any order
 *                                                                        `-> digest, file order
 *
 * Memory is taken in file order, so whatever a digest has to wait for has its memory already, and the window always moves on. Requests try again by themselves; what they throw
 * in the end fails the window. When it cannot move on, the rest of a request that is much slower than the others is asked for once more. Stopping early, by `return` or by
 * the signal, stops all requests and waits for their end.
 * @throws ProblemError `DiskImageTruncated` and the problems of the source
 */
export function fetchWindow(ranges: AsyncIterable<EncodedRange>, options: FetchWindowOptions): FetchWindow {
  let window: RangeWindow | undefined;
  let isClosed = false;
  // Not a generator: its `return` would wait for a `next` that may be waiting for a dead server.
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      options.signal?.throwIfAborted();
      if (isClosed) return { done: true, value: undefined };
      window ??= new RangeWindow(ranges, options);
      try {
        const item = await window.next();
        if (item !== undefined) return { done: false, value: item };
      } catch (error) {
        isClosed = true;
        await window.close();
        throw error;
      }
      return await this.return();
    },
    async return() {
      isClosed = true;
      await window?.close();
      return { done: true, value: undefined };
    },
  };
}

class RangeWindow {
  readonly #ranges: AsyncIterable<EncodedRange>;
  readonly #options: FetchWindowOptions;
  readonly #stopping = new AbortController();
  readonly #hashing: DigestQueue;
  readonly #usualRate = new UsualRate();
  readonly #requests = new Set<SegmentRequest>();
  readonly #ending = new Set<Promise<void>>();
  readonly #ready: FetchedItem[] = [];
  readonly #loops: Promise<void>[];
  #closing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #wakes: (() => void)[] = [];
  #requestCount = 0;
  #repeatCount = 0;
  #hasPlannedAll = false;
  #isWaitingForMemory = false;

  constructor(ranges: AsyncIterable<EncodedRange>, options: FetchWindowOptions) {
    this.#ranges = ranges;
    this.#options = options;
    this.#hashing = new DigestQueue({ onFailure: (error) => this.#fail(error), onIdle: () => this.#wake() });
    options.signal?.addEventListener('abort', this.#abort, { once: true });
    this.#loops = [this.#guard(() => this.#requestAll()), this.#guard(() => this.#watch())];
  }

  /** The next item; undefined at the end or when the window was closed. @throws the failure of the window */
  async next(): Promise<FetchedItem | undefined> {
    while (this.#closing === undefined) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const item = this.#ready.shift();
      if (item !== undefined) {
        this.#wake();
        return item;
      }
      if (this.#isDone) return undefined;
      await this.#change();
    }
    return undefined;
  }

  /** Stops everything and returns when it has stopped. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#stop(new Error('the window was closed'));
    for (const loop of this.#loops) await loop;
    for (const request of this.#requests) await request.ended();
    for (const ending of this.#ending) await ending;
    this.#hashing.stop();
    for (const item of this.#ready.splice(0)) item.release();
  }

  get #isDone(): boolean {
    return this.#hasPlannedAll && this.#requests.size === 0 && this.#hashing.isIdle;
  }

  /** True when no further segment can be begun until one of those under way is through. */
  get #isStuck(): boolean {
    return this.#hasPlannedAll || this.#isWaitingForMemory;
  }

  /** Begins one request after the other, as far as memory and slots go. */
  async #requestAll(): Promise<void> {
    const { pool, slots, files, digests } = this.#options;
    const { signal } = this.#stopping;
    for await (const planned of planSegments(this.#ranges, files, digests)) {
      signal.throwIfAborted();
      if ('empty' in planned) {
        await this.#passOn(planned.empty);
        continue;
      }
      // The order of hashing is that of the plan; so is that of taking memory, or a late segment could hold what an early one needs.
      const slab = await this.#takeMemory(() => pool.acquire(planned.to - planned.from, { signal }));
      try {
        this.#begin(planned, slab, await slots.acquire({ signal }));
      } catch (error) {
        slab.release();
        throw error;
      }
    }
    this.#hasPlannedAll = true;
    this.#wake();
  }

  async #takeMemory(acquire: () => Promise<Slab>): Promise<Slab> {
    this.#isWaitingForMemory = true;
    this.#wake();
    try {
      return await acquire();
    } finally {
      this.#isWaitingForMemory = false;
    }
  }

  async #passOn(range: EncodedRange): Promise<void> {
    while (this.#ready.length >= MAX_READY) {
      await this.#change();
      this.#stopping.signal.throwIfAborted();
    }
    this.#ready.push({
      ranges: [range],
      fileOffset: range.fileOffset,
      bytes: new Uint8Array(new SharedArrayBuffer(0)),
      release: () => {},
    });
    this.#wake();
  }

  #begin(segment: Segment, slab: Slab, slot: RequestSlot): void {
    const { files, clock, limiter, onFetched } = this.#options;
    const file = files[segment.file];
    if (file === undefined) throw new Error(`segment names file ${segment.file} of ${files.length}`);
    // The slot may have been granted in the same moment in which everything was stopped; nobody would stop this request.
    if (this.#stopping.signal.aborted) {
      slot.release();
      throw this.#stopping.signal.reason;
    }
    const place = segment.isHashed ? this.#hashing.expect() : undefined;
    const request = new SegmentRequest({ file, segment, into: slab.bytes, clock, limiter, onFetched }, slot);
    this.#requests.add(request);
    this.#requestCount += 1;
    request.whole.then(
      (winner) => {
        const rate = winner.rate(0);
        if (rate !== undefined) this.#usualRate.add(rate);
        this.#handOut(segment, slab, place);
        this.#retire(request);
      },
      (error: unknown) => {
        slab.release();
        this.#retire(request);
        this.#fail(error);
      },
    );
  }

  /** Gives the bytes to those who need them; the last one to be done with them gives back the memory. */
  #handOut(segment: Segment, slab: Slab, place: ReturnType<DigestQueue['expect']> | undefined): void {
    const { bytes } = slab;
    let users = 1;
    const leave = () => {
      users -= 1;
      if (users === 0) slab.release();
    };
    const digest = this.#options.digests[segment.file];
    if (place !== undefined && digest !== undefined) {
      users += 1;
      place({ digest, fileOffset: segment.from, bytes, onHashed: leave });
    }
    if (segment.ranges.length === 0) {
      leave();
      return;
    }
    let isHeld = true;
    const release = () => {
      if (isHeld) leave();
      isHeld = false;
    };
    this.#ready.push({ ranges: segment.ranges, fileOffset: segment.from, bytes, release });
  }

  /** The loser of two requests may still be on its way out. */
  #retire(request: SegmentRequest): void {
    this.#requests.delete(request);
    const ending = request.ended().then(() => void this.#ending.delete(ending));
    this.#ending.add(ending);
    this.#wake();
  }

  /** Looks for requests that hold up everything, for as long as something is held up. */
  async #watch(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted && !this.#isDone) {
      if (!this.#isStuck || this.#requests.size === 0) {
        await this.#change();
        continue;
      }
      await clock.delay(WATCH_MS, { signal });
      // What came while this process was busy is still to be delivered.
      await setImmediate();
      await this.#repeatSlowRequest();
    }
  }

  async #repeatSlowRequest(): Promise<void> {
    const running = [...this.#requests].filter(({ lone }) => lone !== undefined);
    const [slow] = running.filter(({ lone }) => {
      const others = running.flatMap((each) => (each.lone === undefined || each.lone === lone ? [] : [each.lone]));
      return lone?.isSlow(this.#usualRate.medianWith(others));
    });
    const maxRepeats = Math.max(1, Math.floor(this.#requestCount / REQUESTS_PER_REPEAT));
    if (slow === undefined || this.#repeatCount >= maxRepeats) return;
    const slot = await this.#options.slots.acquire({ signal: this.#stopping.signal });
    // Waiting for the slot may have taken so long that there is nothing to repeat any more.
    if (!slow.askAgain(slot)) {
      slot.release();
      return;
    }
    this.#repeatCount += 1;
    this.#options.onAskedAgain?.();
  }

  readonly #abort = () => this.#fail(this.#options.signal?.reason);

  /** Runs one of the loops; what it throws fails the window. */
  async #guard(loop: () => Promise<void>): Promise<void> {
    try {
      await loop();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The first failure is the one that is told; those after it are its consequences. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#stop(error);
  }

  #stop(reason: unknown): void {
    this.#stopping.abort(reason);
    for (const request of this.#requests) request.stop(reason);
    this.#wake();
  }

  async #change(): Promise<void> {
    await new Promise<void>((wake) => this.#wakes.push(wake));
  }

  #wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }
}
