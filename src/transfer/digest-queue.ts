import { setImmediate } from 'node:timers/promises';
import type { StoredDigest } from './stored-digest.ts';

/** Hashed at a stretch; between two stretches others get their turn. */
const STEP_BYTES = 256 * 1024;

export interface HashedRun {
  readonly digest: StoredDigest;
  readonly fileOffset: number;
  readonly bytes: Uint8Array;
  /** Called when the bytes are no longer needed for the digest. */
  readonly onHashed: () => void;
}

interface Expected {
  run?: HashedRun;
}

/** Shows runs to their digests in the order in which they were expected, whatever order they come in. */
export class DigestQueue {
  readonly #expected: Expected[] = [];
  readonly #onFailure: (error: unknown) => void;
  readonly #onIdle: () => void;
  #working: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: { readonly onFailure: (error: unknown) => void; readonly onIdle: () => void }) {
    this.#onFailure = options.onFailure;
    this.#onIdle = options.onIdle;
  }

  /** True when nothing is expected any more and everything was hashed. */
  get isIdle(): boolean {
    return this.#expected.length === 0 && this.#working === undefined;
  }

  /** Takes the next place in the order; call the result when the run's bytes are there. */
  expect(): (run: HashedRun) => void {
    const place: Expected = {};
    this.#expected.push(place);
    return (run) => {
      place.run = run;
      if (this.#isStopped) run.onHashed();
      else if (this.#expected[0]?.run !== undefined) this.#working ??= this.#work();
    };
  }

  /** Gives up what was not hashed yet. No bytes are touched any more. */
  stop(): void {
    this.#isStopped = true;
    for (const { run } of this.#expected.splice(0)) run?.onHashed();
  }

  async #work(): Promise<void> {
    try {
      for (let run = this.#expected[0]?.run; run !== undefined && !this.#isStopped; run = this.#expected[0]?.run) {
        await this.#hash(run);
        if (this.#isStopped) break;
        this.#expected.shift();
        run.onHashed();
      }
    } catch (error) {
      this.#onFailure(error);
    }
    this.#working = undefined;
    if (this.isIdle) this.#onIdle();
  }

  async #hash({ digest, fileOffset, bytes }: HashedRun): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#isStopped; at += STEP_BYTES) {
      digest.update(fileOffset + at, bytes.subarray(at, at + STEP_BYTES));
      await setImmediate();
    }
  }
}
