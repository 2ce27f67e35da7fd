import type { TransferProgress } from '../api/transfer-protocol.ts';
import { RateMeter } from '../app/import-progress.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

export interface ProgressReporterOptions {
  readonly clock: Clock;
  /** Once only; a newer report follows soon. */
  readonly send: (progress: TransferProgress, options: CallOptions) => Promise<void>;
  /** Bytes of the disk in the last stored checkpoint. */
  readonly checkpointBytes: () => number;
}

export interface ReportedProgress {
  readonly phase: TransferProgress['phase'];
  readonly doneBytes: number;
  readonly totalBytes?: number | undefined;
}

/** At most so often, and only when something has changed. */
const EVERY_MS = 2_000;
/** At least so often: silence means that the worker is gone. */
const ALIVE_MS = 4_000;
/** More of one kind would be noise. */
const MOST_REMARKS = 16;
const MOST_REMARK_CHARACTERS = 2048;

/** Tells the controller where the transfer is, and thereby that the worker is alive. Learns from failures only that the endpoint is away, which its link notices. */
export class ProgressReporter implements AsyncDisposable {
  readonly #options: ProgressReporterOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #progress: ReportedProgress = { phase: 'open', doneBytes: 0 };
  #meter: RateMeter | undefined;
  #remarks: string[] = [];
  #hasNews = true;

  constructor(options: ProgressReporterOptions) {
    this.#options = options;
    this.#loop = this.#report();
  }

  update(progress: ReportedProgress): void {
    if (this.#meter === undefined || progress.phase !== this.#progress.phase) {
      this.#meter = new RateMeter(this.#options.clock, progress.doneBytes);
    }
    this.#meter.update(progress.doneBytes);
    this.#progress = progress;
    this.#hasNews = true;
  }

  remark(text: string): void {
    if (this.#remarks.length < MOST_REMARKS) this.#remarks.push(text.slice(0, MOST_REMARK_CHARACTERS));
    this.#hasNews = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the transfer is over'));
    await this.#loop;
  }

  async #report(): Promise<void> {
    const { clock, send } = this.#options;
    const { signal } = this.#stop;
    let sentMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      const now = clock.monotonicMs();
      if (this.#hasNews || now - sentMs >= ALIVE_MS) {
        sentMs = now;
        const remarks = this.#remarks;
        this.#remarks = [];
        this.#hasNews = false;
        try {
          await send(this.#snapshot(remarks), { signal });
        } catch (error) {
          if (signal.aborted) return;
          if (!isProblem(error)) throw error;
          this.#remarks = [...remarks, ...this.#remarks].slice(0, MOST_REMARKS);
        }
      }
      try {
        await clock.delay(EVERY_MS, { signal });
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    }
  }

  #snapshot(remarks: readonly string[]): TransferProgress {
    const { phase, doneBytes, totalBytes } = this.#progress;
    const isMoving = phase === 'copy' || phase === 'serve' || phase === 'verify';
    const bytesPerSecond = isMoving ? this.#meter?.bytesPerSecond : undefined;
    return {
      phase,
      doneBytes,
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      checkpointBytes: this.#options.checkpointBytes(),
      remarks: [...remarks],
    };
  }
}
