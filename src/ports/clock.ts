import type { CallOptions } from '../lib/call-options.ts';

/** Time and chance come in from outside, so that tests never sleep. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from any fixed point; never jumps. */
  monotonicMs(): number;
  /** @throws the signal's reason when aborted */
  delay(ms: number, options?: CallOptions): Promise<void>;
}
