import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { ProblemError } from '../domain/problems.ts';
import { HttpListener } from '../lib/http-listener.ts';

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
  readonly #listener: HttpListener;

  private constructor(listener: HttpListener) {
    this.#listener = listener;
  }

  /** @throws ProblemError `HealthPortUnusable` */
  static async start(options: HealthOptions): Promise<HealthServer> {
    const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS });
    const listener = new HttpListener(server, (request, response) => respond(request, response, options));
    try {
      await listener.listen(options);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new ProblemError('HealthPortUnusable', `port ${options.port}: ${message}`, { cause });
    }
    return new HealthServer(listener);
  }

  get port(): number {
    return this.#listener.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { whyNotReady, readMetrics }: HealthOptions,
): Promise<void> {
  request.resume();
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return answer(response, 405, 'only GET is answered here\n');
  switch ((request.url ?? '').split('?')[0]) {
    case '/healthz':
      answer(response, 200, 'ok\n');
      return;
    case '/readyz': {
      const reason = whyNotReady();
      answer(response, reason === undefined ? 200 : 503, `${reason ?? 'ok'}\n`);
      return;
    }
    case '/metrics':
      try {
        const { contentType, text } = await readMetrics();
        answer(response, 200, text, contentType);
      } catch (error) {
        answer(response, 500, `${String(error)}\n`);
      }
      return;
    default:
      answer(response, 404, 'there are /healthz, /readyz and /metrics\n');
  }
}

function answer(response: ServerResponse, status: number, text: string, contentType = 'text/plain; charset=utf-8') {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(text);
}
