import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ProblemError } from '../domain/problems.ts';

export interface HealthOptions {
  /** All addresses unless told. */
  readonly host?: string | undefined;
  /** 0 takes any that is free. */
  readonly port: number;
  /** Why it cannot do its work now; undefined when it can. */
  readonly whyNotReady: () => string | undefined;
  readonly readMetrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

const REQUEST_MS = 10_000;

/**
 * What kubelet and Prometheus ask, over plain HTTP and without secrets: `/healthz` answers as long as the process does anything at all, `/readyz` while it leads and serves workers, `/metrics`
 * has the figures.
 */
export class HealthServer implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws ProblemError `HealthPortUnusable` */
  static async start(options: HealthOptions): Promise<HealthServer> {
    const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
      request.resume();
      const isReading = request.method === 'GET' || request.method === 'HEAD';
      if (!isReading) answer(response, 405, 'only GET is answered here\n');
      else respond(new URL(request.url ?? '/', 'http://health').pathname, response, options);
    });
    server.listen(options.port, options.host);
    try {
      await once(server, 'listening');
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new ProblemError('HealthPortUnusable', `port ${options.port}: ${message}`, { cause });
    }
    return new HealthServer(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

function respond(path: string, response: ServerResponse, { whyNotReady, readMetrics }: HealthOptions): void {
  switch (path) {
    case '/healthz':
      answer(response, 200, 'ok\n');
      return;
    case '/readyz': {
      const reason = whyNotReady();
      answer(response, reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`);
      return;
    }
    case '/metrics':
      readMetrics().then(
        ({ contentType, text }) => answer(response, 200, text, contentType),
        (error: unknown) => answer(response, 500, `${String(error)}\n`),
      );
      return;
    default:
      answer(response, 404, 'there are /healthz, /readyz and /metrics\n');
  }
}

function answer(response: ServerResponse, status: number, text: string, contentType = 'text/plain; charset=utf-8') {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(text);
}
