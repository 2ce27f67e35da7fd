import type { PlaceWanted, TransferSlots } from './machine-import/import-world.ts';

/** From the controller's configuration. */
export interface TransferLimits {
  /** Transfers at once, in the whole cluster. */
  readonly total: number;
  /** Transfers at once that read from one server. */
  readonly perHost: number;
  /** Transfers at once on one node, where only one takes them; with several the scheduler spreads them by what they ask for. */
  readonly perNode: number;
}

export interface RunningTransfer {
  /** Of the transfer (names.ts). */
  readonly id: string;
  readonly host: string | undefined;
  readonly node: string | undefined;
  /** The scheduler has found no node for it: it reads nothing, and is nowhere. */
  readonly isUnschedulable?: boolean;
}

export interface TransferPlacesOptions {
  readonly limits: TransferLimits;
  /** As the watches know them; what was begun a moment ago may be missing. */
  readonly running: () => readonly RunningTransfer[];
  readonly now: () => number;
  /** An import that waited may try again. */
  readonly wake: (key: string) => void;
}

/** A transfer that was begun is in the watches by then, or nothing came of it. */
const SEEN_BY_MS = 60_000;

/** Gives transfers their places within the limits, and tells those who wait, the oldest import first, when there may be one. */
export class TransferPlaces implements TransferSlots {
  readonly #options: TransferPlacesOptions;
  /** Taken, but not seen running yet. */
  readonly #taken = new Map<string, RunningTransfer & { readonly untilMs: number }>();
  readonly #waiting = new Map<string, string>();

  constructor(options: TransferPlacesOptions) {
    this.#options = options;
  }

  blocked({ id, host }: PlaceWanted): string | undefined {
    const { limits } = this.#options;
    const now = this.#running().filter((each) => each.id !== id);
    if (now.length >= limits.total) return `${now.length} transfers run already; the limit is ${limits.total}`;
    const ofHost = host === undefined ? 0 : now.filter((each) => each.host === host).length;
    if (ofHost >= limits.perHost)
      return `${ofHost} transfers read from ${host} already; the limit is ${limits.perHost}`;
    const placed = now.filter(({ isUnschedulable }) => isUnschedulable !== true);
    const nodes = new Set(placed.flatMap(({ node }) => node ?? []));
    // Those that were begun a moment ago may all come to one node.
    if (nodes.size <= 1 && placed.length >= limits.perNode)
      return `${placed.length} transfers run on the only node that takes them; the limit is ${limits.perNode}`;
    return undefined;
  }

  take(wanted: PlaceWanted): string | undefined {
    const reason = this.blocked(wanted);
    if (reason === undefined)
      this.#taken.set(wanted.id, { ...wanted, node: undefined, untilMs: this.#options.now() + SEEN_BY_MS });
    return reason;
  }

  release(id: string): void {
    if (this.#taken.delete(id)) this.wakeWaiting();
  }

  wait(key: string, createdAt: string): void {
    this.#waiting.set(key, createdAt);
  }

  /** It is looked at now, and says itself whether it goes on waiting. */
  forget(key: string): void {
    this.#waiting.delete(key);
  }

  /** Imports that wait for a place. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Something ended: as many as there may be places for try again. */
  wakeWaiting(): void {
    const free = this.#options.limits.total - this.#running().length;
    if (free <= 0 || this.#waiting.size === 0) return;
    const oldest = [...this.#waiting].toSorted(([, a], [, b]) => a.localeCompare(b)).slice(0, free);
    for (const [key] of oldest) {
      this.#waiting.delete(key);
      this.#options.wake(key);
    }
  }

  #running(): readonly RunningTransfer[] {
    const running = this.#options.running();
    const seen = new Set(running.map(({ id }) => id));
    for (const [id, { untilMs }] of this.#taken)
      if (seen.has(id) || untilMs <= this.#options.now()) this.#taken.delete(id);
    return [...running, ...this.#taken.values()];
  }
}
