import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import { CheckpointSender } from './checkpoint-sender.ts';
import type { EndpointClient } from './endpoint-client.ts';
import type { RunAhead } from './run-ahead.ts';

export interface RecordKeeperOptions {
  readonly client: EndpointClient;
  readonly clock: Clock;
  readonly everyMs?: number | undefined;
  readonly ahead: RunAhead;
  /** Bytes of the disk that a record vouches for; 0 for one that cannot be read. */
  readonly copiedBytesOf: (record: Uint8Array) => number;
  /** Told when a record cannot be stored, and so none any more. */
  readonly onFailed: (error: unknown) => void;
  /** What an earlier run stored. */
  readonly stored: Uint8Array | undefined;
}

interface Saved {
  readonly bytes: Uint8Array;
  readonly doneBytes: number;
  readonly mark: ReturnType<RunAhead['mark']>;
}

/** The transfer's record, kept by the controller (docs/contracts/worker.md). */
export class RecordKeeper implements AsyncDisposable {
  readonly #options: RecordKeeperOptions;
  readonly #sender: CheckpointSender<Saved>;
  #checkpointBytes: number;

  constructor(options: RecordKeeperOptions) {
    const { client, clock, everyMs, ahead, copiedBytesOf, onFailed, stored } = options;
    this.#options = options;
    this.#checkpointBytes = stored === undefined ? 0 : copiedBytesOf(stored);
    ahead.stored(ahead.mark(), this.#checkpointBytes);
    this.#sender = new CheckpointSender({
      clock,
      everyMs,
      send: ({ bytes, doneBytes }, call) => client.saveCheckpoint(bytes, doneBytes, call),
      onStored: ({ doneBytes, mark }) => {
        this.#checkpointBytes = doneBytes;
        ahead.stored(mark, doneBytes);
      },
      onFailed,
    });
  }

  /** Bytes of the disk in the last record that was stored. */
  get checkpointBytes(): number {
    return this.#checkpointBytes;
  }

  async load(): Promise<Uint8Array | undefined> {
    return this.#options.stored;
  }

  /** Returns at once; the newest is stored when it is its turn. @throws what storing an earlier one met */
  async save(bytes: Uint8Array): Promise<void> {
    const { ahead, copiedBytesOf } = this.#options;
    this.#sender.offer({ bytes, doneBytes: copiedBytesOf(bytes), mark: ahead.mark() });
  }

  async remove(): Promise<void> {
    await this.#sender.drop();
    await this.#options.client.removeCheckpoint();
    this.#checkpointBytes = 0;
    this.#options.ahead.stored(this.#options.ahead.mark(), 0);
  }

  /** Returns when the newest is stored. @throws what storing met, or the signal's reason */
  async flush(options?: CallOptions): Promise<void> {
    await this.#sender.flush(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sender[Symbol.asyncDispose]();
  }
}
