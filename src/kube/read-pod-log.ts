import { podKind } from '../api/core-kinds.ts';
import type { ObjectRef } from '../domain/kubernetes-object.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { ApiConnection, ApiRequest } from './api-connection.ts';
import type { Asked } from './asked.ts';
import { objectPath } from './resource-path.ts';

export interface ReadPodLogOptions extends CallOptions {
  /** Goes on with what is printed from now on, until the container ends. */
  readonly follow?: boolean | undefined;
  /** Needed only where a Pod has several. */
  readonly container?: string | undefined;
}

/** Of a log that is there an answer goes on at once. */
const IDLE_MS = 30_000;
/** A worker that copies prints nothing for as long as it likes. */
const FOLLOW_IDLE_MS = 24 * 3600 * 1000;
/** What a container prints is anything: a longer line comes in pieces. */
const MOST_LINE_CHARACTERS = 64 * 1024;

/**
 * The lines that a container has printed, without their ends, as they come; a last one that has no end yet too. Nothing is repeated: a connection that is lost ends it with a problem.
 * Leaving it early closes the connection.
 * @throws ProblemError as `Cluster` does; `ClusterObjectInvalid` for a container that has not begun
 */
export async function* readPodLog(
  connection: ApiConnection,
  pod: ObjectRef,
  { follow = false, container, signal }: ReadPodLogOptions = {},
): AsyncGenerator<string, void> {
  const asked: Asked = { verb: 'get', kind: podKind, ...pod, subresource: 'log' };
  const query = { container, ...(follow ? { follow: 'true' } : {}) };
  const request: ApiRequest = { asked, method: 'GET', path: objectPath(podKind, pod, 'log'), query };
  const pieces = await connection.stream(request, { signal, idleMs: follow ? FOLLOW_IDLE_MS : IDLE_MS });
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield* inParts(line);
    while (rest.length > MOST_LINE_CHARACTERS) {
      yield rest.slice(0, MOST_LINE_CHARACTERS);
      rest = rest.slice(MOST_LINE_CHARACTERS);
    }
  }
  rest += decoder.decode();
  if (rest !== '') yield* inParts(rest);
}

function* inParts(line: string): Generator<string, void> {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  for (let start = 0; start === 0 || start < text.length; start += MOST_LINE_CHARACTERS)
    yield text.slice(start, start + MOST_LINE_CHARACTERS);
}
