import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';

/** A manifest of ten thousand imports has a tenth of that. */
const MOST_BYTES = 64 * 1024 * 1024;

/** All there is to read, as text. @throws ProblemError `ManifestUnreadable` for more than anybody writes */
export async function readInput(
  input: AsyncIterable<Uint8Array | string>,
  { signal }: CallOptions = {},
): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const aborted = new Promise<never>((_, reject) => {
    signal?.throwIfAborted();
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  const read = async () => {
    for await (const piece of input) {
      pieces.push(Buffer.from(piece));
      bytes += piece.length;
      if (bytes > MOST_BYTES)
        throw new ProblemError('ManifestUnreadable', `standard input has more than ${MOST_BYTES} bytes`);
    }
    return Buffer.concat(pieces).toString('utf8');
  };
  return await Promise.race([read(), aborted]);
}
