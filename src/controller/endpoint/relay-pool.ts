import type { TransferRun } from '../../api/transfer-protocol.ts';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { SourceRelay } from '../../ports/source-relay.ts';

export interface RelayPoolOptions {
  readonly open: (run: TransferRun) => Promise<SourceRelay>;
  readonly clock: Clock;
  readonly log: Log;
  /** Bodies under way at once for one transfer, and for all: each takes some memory. */
  readonly mostOfOne: number;
  readonly mostOfAll: number;
}

interface Entry {
  readonly epoch: number;
  readonly relay: Promise<SourceRelay>;
  users: number;
  usedMs: number;
}

/** A relay holds an account's password and open connections; one that nobody uses has no business here. */
const IDLE_MS = 60_000;

/** The relays of transfers under way, one each, opened when first asked for and closed when nobody asked for a minute. */
export class RelayPool implements AsyncDisposable {
  readonly #options: RelayPoolOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();
  #users = 0;
  #sweeping: Promise<void> | undefined;

  constructor(options: RelayPoolOptions) {
    this.#options = options;
  }

  /** How many are open. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Uses the transfer's relay; it stays open at least until `use` has returned.
   * @throws ProblemError `SourceBusy` when too much is under way already, and what opening met
   */
  async use<T>(run: TransferRun, use: (relay: SourceRelay) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { mostOfOne, mostOfAll, clock } = this.#options;
    const entry = this.#entryOf(run);
    if (entry.users >= mostOfOne || this.#users >= mostOfAll) {
      throw new ProblemError(
        'SourceBusy',
        `${this.#users} requests are being relayed, ${entry.users} for this transfer`,
      );
    }
    entry.users += 1;
    this.#users += 1;
    try {
      const relay = await entry.relay;
      options.signal?.throwIfAborted();
      return await use(relay);
    } finally {
      entry.users -= 1;
      this.#users -= 1;
      entry.usedMs = clock.monotonicMs();
    }
  }

  /** Closes what a transfer has open, because its run is over. */
  async close(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    await this.#dispose(id, entry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sweeping;
    for (const id of [...this.#entries.keys()]) await this.close(id);
  }

  #entryOf(run: TransferRun): Entry {
    const known = this.#entries.get(run.id);
    if (known?.epoch === run.epoch) return known;
    if (known !== undefined) void this.close(run.id);
    const { open, clock } = this.#options;
    const relay = open(run);
    const entry: Entry = { epoch: run.epoch, relay, users: 0, usedMs: clock.monotonicMs() };
    this.#entries.set(run.id, entry);
    // One that could not be opened is asked for anew.
    relay.catch(() => {
      if (this.#entries.get(run.id) === entry) this.#entries.delete(run.id);
    });
    this.#sweeping ??= this.#sweep();
    return entry;
  }

  async #sweep(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (this.#entries.size > 0) {
      try {
        await clock.delay(IDLE_MS / 2, { signal });
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      const now = clock.monotonicMs();
      for (const [id, { users, usedMs }] of this.#entries)
        if (users === 0 && now - usedMs >= IDLE_MS) await this.close(id);
    }
    this.#sweeping = undefined;
  }

  async #dispose(transfer: string, { relay }: Entry): Promise<void> {
    try {
      await (await relay)[Symbol.asyncDispose]();
    } catch (error) {
      // Of one that could not be opened, whoever wanted it was told.
      this.#options.log.warn('relay did not close', { transfer, error: String(error) });
    }
  }
}
