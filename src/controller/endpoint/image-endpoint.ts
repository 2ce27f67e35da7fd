import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isProblem } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import { endWith, HttpListener } from '../../lib/http-listener.ts';
import type { Log } from '../../ports/log.ts';

/** Where the image of a transfer is served now. `later`: nobody serves it yet, or its worker is being replaced. Undefined: nothing is known by this name and token. */
export type FindImage = (
  image: { readonly transferId: string; readonly token: string; readonly fileName: string },
  options?: CallOptions,
) => Promise<{ readonly url: string } | 'later' | undefined>;

export interface ImageEndpointOptions {
  readonly findImage: FindImage;
  readonly log: Log;
  /** All addresses unless told. */
  readonly host?: string | undefined;
  /** 0 takes any that is free. */
  readonly port: number;
}

/** `/images/<transfer>/<token>/<file>` */
const ROUTE = /^\/images\/([^/]{1,200})\/([^/]{1,256})\/([^/]{1,300})$/;
const REQUEST_MS = 15_000;
const MOST_CONNECTIONS = 1024;
/** Downloaders that wait at all wait this long before they ask again. */
const LATER_SECONDS = '5';

/**
 * What the URLs of images point at: plain HTTP at a fixed address, as the old controller had it, because whoever imports an image trusts no certificate of ours and keeps the URL for good. It has no bytes itself:
 * whoever knows an image's token is sent on to the worker that serves it now (docs/decisions/0016-image-target.md).
 */
export class ImageEndpoint implements AsyncDisposable {
  readonly #options: ImageEndpointOptions;
  readonly #listener: HttpListener;

  private constructor(options: ImageEndpointOptions) {
    this.#options = options;
    const server = createServer({ headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, noDelay: true });
    server.maxConnections = MOST_CONNECTIONS;
    this.#listener = new HttpListener(server, (request, response) => this.#answer(request, response));
  }

  static async start(options: ImageEndpointOptions): Promise<ImageEndpoint> {
    const endpoint = new ImageEndpoint(options);
    await endpoint.#listener.listen(options);
    return endpoint;
  }

  get port(): number {
    return this.#listener.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return endWith(response, 405, { allow: 'GET, HEAD' });
    const [, transferId, token, fileName] = ROUTE.exec((request.url ?? '').split('?')[0] ?? '') ?? [];
    if (transferId === undefined || token === undefined || fileName === undefined) return endWith(response, 404);
    try {
      const found = await this.#options.findImage({ transferId, token, fileName });
      if (found === undefined) return endWith(response, 404);
      if (found === 'later') return endWith(response, 503, { 'retry-after': LATER_SECONDS });
      // 307 and not 302: it is to be asked again here the next time, and HEAD stays HEAD.
      endWith(response, 307, { location: found.url, 'cache-control': 'no-store' });
    } catch (error) {
      // Never with the path: it holds the token.
      this.#options.log.error('image not found', { transfer: transferId, error: tell(error) });
      endWith(response, 503, { 'retry-after': LATER_SECONDS });
    }
  }
}

function tell(error: unknown): string {
  if (isProblem(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
