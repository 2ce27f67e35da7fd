import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CallOptions } from '../../lib/call-options.ts';
import { drained } from '../../lib/http-listener.ts';
import type { SourceRelay } from '../../ports/source-relay.ts';

/**
 * Answers a request for a part of the source with the source's own answer, at the pace at which the worker takes it: one piece is in memory. When the source breaks off, so does this
 * answer, and the worker asks again from where it was.
 * @throws ProblemError as long as nothing was answered
 */
export async function relaySource(
  relay: SourceRelay,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  { signal }: CallOptions,
): Promise<void> {
  const { range, 'if-range': ifRange } = request.headers;
  const answer = await relay.get(
    path,
    { range, ifRange: typeof ifRange === 'string' ? ifRange : undefined },
    { signal },
  );
  try {
    response.writeHead(answer.status, answer.headers);
    for await (const piece of answer.pieces()) {
      if (!response.write(piece)) await drained(response);
      if (response.destroyed) return;
    }
    response.end();
  } finally {
    answer.close();
  }
}
