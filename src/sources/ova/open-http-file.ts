import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { HttpConnection } from './http-connection.ts';
import { HttpFile } from './http-file.ts';
import { HttpForwardFile } from './http-forward-file.ts';
import { showUrl } from './http-location.ts';
import { headerOf } from './http-problems.ts';
import { parseContentLength, parseContentRange, parseUnsatisfiedRange, readValidators } from './http-validators.ts';

export interface OpenHttpFileOptions extends CallOptions {
  readonly backoff: BackoffOptions;
}

/** Asks for the first byte to learn whether the server answers ranges. */
export async function openHttpFile(
  connection: HttpConnection,
  url: URL,
  options: OpenHttpFileOptions,
): Promise<HttpFile | HttpForwardFile> {
  const backoff = new Backoff(options.backoff);
  while (true) {
    try {
      return await probe(connection, url, options);
    } catch (error) {
      // A name that is wrong or a server that is silent is told at once: at the beginning it is more often a slip than an outage.
      if (!isProblem(error) || isProblem(error, 'SourceUnreachable', 'SourceStalled')) throw error;
      await backoff.wait(error, options);
    }
  }
}

async function probe(
  connection: HttpConnection,
  url: URL,
  options: OpenHttpFileOptions,
): Promise<HttpFile | HttpForwardFile> {
  const name = showUrl(url);
  const { clock } = options.backoff;
  const answer = await connection.get(url, { range: 'bytes=0-0' }, options);
  const { status, headers } = answer;
  const value = headerOf(headers, 'content-range');
  const parts = (totalBytes: number | undefined) => ({
    connection,
    url,
    name,
    validators: readValidators(headers, totalBytes),
    unproven: `${clock.now()}/${clock.monotonicMs()}`,
    backoff: options.backoff,
  });

  // The body of a 200 is the file: it is kept for whoever reads it.
  if (status === 200) return new HttpForwardFile(parts(parseContentLength(headers)), answer);
  if (status === 416) {
    answer.close();
    if (parseUnsatisfiedRange(value) === 0) return new HttpFile(parts(0), 0);
    throw new ProblemError('SourceRangeIgnored', `${name}: the server says that the file has no first byte`);
  }
  try {
    for await (const _ of answer.pieces()); // one byte; read, it leaves the connection usable
  } finally {
    answer.close();
  }
  const range = parseContentRange(value);
  if (range?.from !== 0 || range.to !== 1) {
    throw new ProblemError(
      'SourceRangeIgnored',
      `${name}: byte 0 was asked for and Content-Range says ${JSON.stringify(value ?? '')}`,
    );
  }
  return range.totalBytes === undefined
    ? new HttpForwardFile(parts(undefined), undefined)
    : new HttpFile(parts(range.totalBytes), range.totalBytes);
}
