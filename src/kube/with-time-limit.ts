import type { CallOptions } from '../lib/call-options.ts';

interface LimitClock {
  delay(ms: number, options?: CallOptions): Promise<void>;
}

/**
 * Does something for as long as the time allows: its signal fires when that is over, or when the caller's does.
 * @returns undefined when the time was over before it was done
 * @throws what it throws before that, and the reason of the caller's signal
 */
export async function withTimeLimit<T>(
  act: (signal: AbortSignal) => Promise<T>,
  { clock, limitMs, signal }: CallOptions & { readonly clock: LimitClock; readonly limitMs: number },
): Promise<T | undefined> {
  signal?.throwIfAborted();
  const limit = new AbortController();
  const either = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
  let isOver = false;
  const timer = clock.delay(Math.max(0, limitMs), { signal: either }).then(
    () => {
      isOver = true;
      limit.abort(new Error('its time is over'));
    },
    // Aborted because it was done before, or by the caller.
    () => {},
  );
  try {
    return await act(either);
  } catch (error) {
    signal?.throwIfAborted();
    if (isOver) return undefined;
    throw error;
  } finally {
    limit.abort(new Error('it is done'));
    await timer;
  }
}
