import { ProblemError } from '../domain/problems.ts';

const NEWLINE = 0x0a;

/**
 * The values of a stream of JSON, one a line. Holds one line; what follows the last newline is left out, because a connection may break anywhere.
 * @throws ProblemError `ClusterFailed` for a line that is too long or no JSON
 */
export async function* jsonLines(pieces: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<unknown, void> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      begun.push(piece.subarray(from, end));
      checkLength(begunBytes + end - from, mostBytes);
      const line = Buffer.concat(begun);
      begun = [];
      begunBytes = 0;
      from = end + 1;
      if (line.length > 0) yield parseLine(line);
    }
    if (from === piece.length) continue;
    begun.push(piece.subarray(from));
    begunBytes += piece.length - from;
    checkLength(begunBytes, mostBytes);
  }
}

function checkLength(bytes: number, mostBytes: number): void {
  if (bytes <= mostBytes) return;
  throw new ProblemError('ClusterFailed', `a line of the event stream has more than ${mostBytes} bytes`);
}

function parseLine(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    // The parser's own message quotes the line, which may be a Secret.
    throw new ProblemError('ClusterFailed', `a line of ${line.length} bytes in the event stream is no JSON`);
  }
}
