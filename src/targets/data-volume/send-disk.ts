import { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import type { UploadTicket } from '../../ports/upload.ts';

export interface SendDiskOptions {
  readonly ticket: UploadTicket;
  readonly sizeBytes: number;
  readonly signal?: AbortSignal | undefined;
}

const MOST_WORDS = 500;

/**
 * Sends bytes to CDI's upload proxy in one request, at the pace at which they are taken, and waits until they are written: minutes, where the volume is large, so there is no limit but the
 * signal. A request that breaks off midway is not taken for a whole one, because it told its length.
 * @param bytes stay as they are
 * @throws ProblemError `UploadRefused` when the proxy does not take it, `UploadFailed` when it breaks off, and what `bytes` throws
 */
export async function sendDisk(
  bytes: AsyncIterable<Uint8Array>,
  { ticket: { url, token, ca }, sizeBytes, signal }: SendDiskOptions,
): Promise<void> {
  const agent = new Agent({ connect: ca === undefined ? {} : { ca }, headersTimeout: 0, bodyTimeout: 0 });
  try {
    const answer = await request(url, {
      method: 'POST',
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/octet-stream',
        'content-length': String(sizeBytes),
      },
      // One piece ahead, not sixteen.
      body: Readable.from(bytes, { objectMode: false, highWaterMark: 1 }),
      ...(signal === undefined ? {} : { signal }),
    });
    const words = (await answer.body.text()).trim().slice(0, MOST_WORDS);
    if (answer.statusCode === 200) return;
    throw refusal(answer.statusCode, words);
  } catch (error) {
    signal?.throwIfAborted();
    // undici hands on what the body threw, sometimes as a cause.
    const own = isProblem(error) ? error : error instanceof Error && isProblem(error.cause) ? error.cause : undefined;
    if (own !== undefined) throw own;
    throw new ProblemError('UploadFailed', `the upload broke off: ${String(error)}`, { cause: error });
  } finally {
    await agent.destroy();
  }
}

/** 401: the token is over. 409: it has a whole disk already. 503: its Pod is not there, or busy with another upload. */
function refusal(status: number, words: string): ProblemError {
  const said = words === '' ? '' : `: ${words}`;
  return new ProblemError('UploadRefused', `CDI's upload proxy answered ${status}${said}`, { context: { status } });
}
