import type { CallOptions } from '../lib/call-options.ts';
import type { RateLimiter } from '../ports/transfer.ts';
import type { EndpointLink } from './endpoint-link.ts';

const LEAST_BYTES = 64 * 1024 * 1024;
const SHARE = 0.01;
/** What is under way when the gate shuts still comes through: encoded bytes in the window unpack to more. So it shuts at this part of the limit. */
const SHUTS_AT = 0.5;
/** Shorter than any cluster takes to give up a node, and with it this Pod, for lost (node-monitor-grace-period: 50 s), so that a successor never meets a writer (ruling 16). */
const MOST_SILENT_MS = 20_000;

/**
 * The gate that bytes from the source pass. While the endpoint is away, the copy goes at most 1 % of the disk or 64 MiB, whichever is more, past the last checkpoint that was stored, and
 * no longer than 20 s after the endpoint's last word; then it waits, for as long as it takes (ruling 18). While the endpoint answers, checkpoints follow the copy every ten seconds and the
 * gate is open.
 */
export class RunAhead implements RateLimiter {
  readonly limitBytes: number;
  readonly #link: EndpointLink;
  readonly #inner: RateLimiter | undefined;
  #fetchedBytes = 0;
  #doneBytes: number | undefined;
  #stored = { fetchedBytes: 0, doneBytes: 0 };

  constructor(
    virtualSizeBytes: number,
    { link, inner }: { readonly link: EndpointLink; readonly inner?: RateLimiter | undefined },
  ) {
    this.limitBytes = Math.max(LEAST_BYTES, Math.floor(virtualSizeBytes * SHARE));
    this.#link = link;
    this.#inner = inner;
  }

  /** Bytes that would have to be copied or fetched again, whichever are more, if everything ended now. */
  get unsavedBytes(): number {
    const done = (this.#doneBytes ?? this.#stored.doneBytes) - this.#stored.doneBytes;
    return Math.max(done, this.#fetchedBytes - this.#stored.fetchedBytes);
  }

  /** Bytes of the disk that were copied, by this run and those before. */
  copied(doneBytes: number): void {
    this.#doneBytes = doneBytes;
  }

  /** Taken when a checkpoint is made, and given to `stored` when it is stored. */
  mark(): { readonly fetchedBytes: number } {
    return { fetchedBytes: this.#fetchedBytes };
  }

  stored(mark: { readonly fetchedBytes: number }, doneBytes: number): void {
    this.#stored = { ...mark, doneBytes };
  }

  async take(bytes: number, options: CallOptions = {}): Promise<void> {
    while (this.#isShut) await this.#link.whenBack(options);
    options.signal?.throwIfAborted();
    this.#fetchedBytes += bytes;
    await this.#inner?.take(bytes, options);
  }

  get #isShut(): boolean {
    const { isAway, silentMs } = this.#link;
    return isAway && (silentMs >= MOST_SILENT_MS || this.unsavedBytes >= this.limitBytes * SHUTS_AT);
  }
}
