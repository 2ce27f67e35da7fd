import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseRange } from '../../lib/byte-range.ts';
import { drained, endWith, HttpListener } from '../../lib/http-listener.ts';
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
  readonly #listener: HttpListener;
  readonly #prefix: Buffer;

  private constructor(options: ImageServerOptions) {
    this.#options = options;
    this.#prefix = Buffer.from(`/${options.token}/`);
    // A download may take days; only its head has to come in time.
    const server = createServer({ headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, noDelay: true });
    server.maxConnections = 4 * MOST_DOWNLOADS;
    this.#listener = new HttpListener(server, (request, response) => this.#answer(request, response));
  }

  static async start(options: ImageServerOptions): Promise<ImageServer> {
    const server = new ImageServer(options);
    await server.#listener.listen(options);
    return server;
  }

  get port(): number {
    return this.#listener.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { file } = this.#options;
    if (!this.#isKnown(request.url ?? '')) return endWith(response, 404);
    if (request.method !== 'GET' && request.method !== 'HEAD') return endWith(response, 405, { allow: 'GET, HEAD' });
    const { 'if-range': ifRange, range: asked } = request.headers;
    const isWanted = file.hasRanges && (ifRange === undefined || ifRange === file.etag);
    const range = parseRange(isWanted ? asked : undefined, file.sizeBytes);
    if (range === undefined) return endWith(response, 416, { 'content-range': `bytes */${file.sizeBytes}` });
    const { from, to, isPart } = range;
    if (this.#listener.answering > MOST_DOWNLOADS) return endWith(response, 503, { 'retry-after': '1' });
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
