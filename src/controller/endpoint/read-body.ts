import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { ProblemError } from '../../domain/problems.ts';

/** The whole body of a request. @throws ProblemError `EndpointNotUnderstood` past `maxBytes`, or when it breaks off */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLong = () => new ProblemError('EndpointNotUnderstood', `the body has more than ${maxBytes} bytes`);
  // Before the first byte is read: once a body is given up midway, nothing can be answered any more.
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLong();
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of request as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > maxBytes)
        throw new ProblemError('EndpointNotUnderstood', `the body has more than ${maxBytes} bytes`);
      pieces.push(piece);
    }
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause;
    throw new ProblemError('EndpointNotUnderstood', 'the body broke off', { cause });
  }
  return Buffer.concat(pieces);
}

/** @throws ProblemError `EndpointNotUnderstood` naming the first field that is wrong */
export async function readJson<T>(request: IncomingMessage, schema: z.ZodType<T>, maxBytes: number): Promise<T> {
  const text = (await readBody(request, maxBytes)).toString('utf8');
  const parsed = schema.safeParse(parse(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ProblemError('EndpointNotUnderstood', `${issue?.path.join('.') || 'the body'}: ${issue?.message}`, {
    cause: parsed.error,
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ProblemError('EndpointNotUnderstood', 'the body is no JSON', { cause });
  }
}
