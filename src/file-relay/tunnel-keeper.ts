import type { Duplex } from 'node:stream';
import { isProblem } from '../domain/problems.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';

export interface TunnelKeeperOptions {
  /** Opens a connection to the other door of the relay. */
  connect(options: CallOptions): Promise<Duplex>;
  /** Answers whoever came in by it. */
  serve(connection: Duplex): void;
  readonly clock: Clock;
  readonly random: () => number;
  /** How many wait for somebody at any time; 4 unless told. A reader opens up to 16, one after the other. */
  readonly waiting?: number;
  /** Told of what went wrong and is tried again. */
  readonly onRetry?: ((error: unknown, afterMs: number) => void) | undefined;
}

const WAITING = 4;
const AGAIN = { firstMs: 500, capMs: 15_000 };

/**
 * Keeps some connections waiting at the relay, and hands each on to be served when the first byte comes. Ends only when aborted, or with what no retry can cure.
 * @throws ProblemError with retry `never`, and `ClusterForbidden`
 */
export async function keepTunnels(options: TunnelKeeperOptions, { signal }: CallOptions = {}): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([failure.signal, ...(signal === undefined ? [] : [signal])]);
  const keepers = Array.from({ length: options.waiting ?? WAITING }, async () => {
    try {
      await keepOne(options, either);
    } catch (error) {
      if (!either.aborted) failure.abort(error);
    }
  });
  await Promise.all(keepers);
  either.throwIfAborted();
}

async function keepOne({ connect, serve, clock, random, onRetry }: TunnelKeeperOptions, signal: AbortSignal) {
  for (let failures = 0; !signal.aborted; ) {
    try {
      const connection = await connect({ signal });
      if (await isWanted(connection, signal)) {
        failures = 0;
        serve(connection);
        continue;
      }
      // Nobody came: the relay, or a node on the way, has gone. It is looked at again, with patience.
      failures += 1;
    } catch (error) {
      if (signal.aborted || isFinal(error)) throw error;
      failures += 1;
      onRetry?.(error, AGAIN.capMs);
    }
    await clock.delay(backoffMs(failures, AGAIN, random), { signal });
  }
}

/** Whether the first byte comes before the end. */
async function isWanted(connection: Duplex, signal: AbortSignal): Promise<boolean> {
  const abort = () => connection.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await new Promise<boolean>((resolve) => {
      connection.once('readable', () => resolve(connection.readableLength > 0));
      connection.once('close', () => resolve(false));
      connection.on('error', () => {});
      if (signal.aborted) abort();
    });
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function isFinal(error: unknown): boolean {
  if (!isProblem(error)) return true;
  return error.code === 'ClusterForbidden' || error.problem.retry === 'never';
}
