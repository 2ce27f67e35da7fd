import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseRange } from '../../lib/byte-range.ts';
import type { ServedFile } from './served-file.ts';

export interface ImageServerOptions {
  readonly file: ServedFile;
  /** Everything that is served lies below `/<token>/`, whatever the rest of the path is. */
  readonly token: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** All addresses unless told. */
  readonly host?: string | undefined;
  /** Told how far a download has come, in bytes of the file. */
  readonly onPosition?: ((position: number) => void) | undefined;
  /** Told what broke a download off; the downloader only sees that it ended. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** Downloads under way at once; a downloader has one, or a few when it reads by ranges. */
const MOST_DOWNLOADS = 16;
const HEAD_MS = 30_000;

/**
 * Serves one file over plain HTTP, to whoever knows its path: the downloaders of Longhorn and CDI trust no certificate of ours (docs/decisions/0016-image-target.md). At the pace at which it is
 * taken: one piece is in memory for each download.
 */
export class ImageServer implements AsyncDisposable {
  readonly #options: ImageServerOptions;
  readonly #server: Server;
  readonly #answering = new Set<Promise<void>>();
  readonly #prefix: Buffer;

  private constructor(options: ImageServerOptions) {
    this.#options = options;
    this.#prefix = Buffer.from(`/${options.token}/`);
    // A download may take days; only its head has to come in time.
    this.#server = createServer(
      { headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, noDelay: true },
      (request, response) => this.#track(this.#answer(request, response)),
    );
    this.#server.maxConnections = 4 * MOST_DOWNLOADS;
  }

  static async start(options: ImageServerOptions): Promise<ImageServer> {
    const server = new ImageServer(options);
    server.#server.listen(options.port, options.host);
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    await Promise.all(this.#answering);
  }

  #track(answer: Promise<void>): void {
    const tracked = answer.finally(() => void this.#answering.delete(tracked));
    this.#answering.add(tracked);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { file } = this.#options;
    // Who leaves midway is told of by `close`.
    response.on('error', () => {});
    if (!this.#isKnown(request.url ?? '')) return endWith(response, 404);
    if (request.method !== 'GET' && request.method !== 'HEAD') return endWith(response, 405, { allow: 'GET, HEAD' });
    const { 'if-range': ifRange, range: asked } = request.headers;
    const isWanted = file.hasRanges && (ifRange === undefined || ifRange === file.etag);
    const range = parseRange(isWanted ? asked : undefined, file.sizeBytes);
    if (range === undefined) return endWith(response, 416, { 'content-range': `bytes */${file.sizeBytes}` });
    const { from, to, isPart } = range;
    if (this.#answering.size > MOST_DOWNLOADS) return endWith(response, 503, { 'retry-after': '1' });
    response.writeHead(isPart ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': to - from,
      'accept-ranges': file.hasRanges ? 'bytes' : 'none',
      etag: file.etag,
      ...(isPart ? { 'content-range': `bytes ${from}-${to - 1}/${file.sizeBytes}` } : {}),
    });
    if (request.method === 'HEAD' || from === to) return void response.end();
    await this.#send(response, from, to);
  }

  async #send(response: ServerResponse, from: number, to: number): Promise<void> {
    const { file, onPosition, onFailure } = this.#options;
    const gone = new AbortController();
    response.on('close', () => gone.abort(new Error('the downloader went away')));
    try {
      let position = from;
      for await (const piece of file.read(from, to, { signal: gone.signal })) {
        if (!response.write(piece)) await drained(response);
        if (response.destroyed) return;
        position += piece.length;
        onPosition?.(position);
      }
      response.end();
    } catch (error) {
      // An answer that breaks off is at least not taken for a whole one.
      response.destroy();
      if (!gone.signal.aborted) onFailure?.(error);
    }
  }

  /** Takes the same time for every guess of the same length. */
  #isKnown(url: string): boolean {
    const path = Buffer.from(url.split('?')[0] ?? '');
    return path.length > this.#prefix.length && timingSafeEqual(path.subarray(0, this.#prefix.length), this.#prefix);
  }
}

function endWith(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { ...headers, 'content-length': '0' });
  response.end();
}

/** Until more can be written, or nobody is there to take it. */
async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
