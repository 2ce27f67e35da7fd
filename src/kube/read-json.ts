import { ProblemError } from '../domain/problems.ts';

/**
 * A whole body as JSON; undefined when it is empty.
 * @param what whose body it is, for messages
 * @throws ProblemError `ClusterFailed` for a body that is too long or no JSON
 */
export async function readJson(pieces: AsyncIterable<Uint8Array>, mostBytes: number, what: string): Promise<unknown> {
  const all: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > mostBytes)
      throw new ProblemError('ClusterFailed', `${what}: the answer has more than ${mostBytes} bytes`);
    all.push(piece);
  }
  if (bytes === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(all).toString('utf8'));
  } catch {
    // The parser's own message quotes the text, which may be a Secret.
    throw new ProblemError('ClusterFailed', `${what}: the answer of ${bytes} bytes is no JSON`);
  }
}
