import { getCACertificates } from 'node:tls';
import { Agent } from 'undici';
import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Clock } from '../../ports/clock.ts';
import { type HttpLocation, isHttp, showUrl } from './http-location.ts';
import { type HttpHeaders, headerOf, problemOfStatus, problemOfTransport } from './http-problems.ts';

export interface HttpConnectionOptions {
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** What is sent as `authorization` instead of user and password, asked for anew with each request: tokens end. */
  readonly authorize?: (() => Promise<string>) | undefined;
  /** Understands answers of a server that tells what is wrong in its own words; undefined leaves it to the status. */
  readonly readProblem?: ((headers: HttpHeaders) => ProblemError | undefined) | undefined;
  /** Certificates trusted besides the usual ones. */
  readonly caPem?: string | undefined;
  /** Leaves the server's identity unchecked. */
  readonly insecure?: boolean | undefined;
  /** How long nothing may come; 30 s unless told. Time in which nobody asks for bytes does not count. */
  readonly stallMs?: number | undefined;
  /** Most connections to one origin; 16 unless told. Requests beyond that wait for one. */
  readonly maxConnections?: number | undefined;
  readonly clock: Clock;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** The body, once. */
  pieces(): AsyncGenerator<Uint8Array, void>;
  /** Gives up what was not read of the body, and with it the connection. */
  close(): void;
}

/** Enough for a window of parallel ranges. */
const MAX_CONNECTIONS = 16;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What a redirected address may answer once its time is over, when the original one still leads somewhere. */
const STALE = new Set([401, 403, 404, 410]);

/** GET requests to one server, with redirects followed by hand and every failure named. */
export class HttpConnection implements AsyncDisposable {
  readonly #agent: Agent;
  readonly #authorize: (() => Promise<string>) | undefined;
  readonly #readProblem: HttpConnectionOptions['readProblem'];
  readonly #clock: Clock;
  /** Where redirects led to, by address asked for: not walked again for each range. */
  readonly #resolved = new Map<string, URL>();
  readonly #origin: string;

  constructor(location: HttpLocation, options: HttpConnectionOptions) {
    const stallMs = options.stallMs ?? 30_000;
    this.#origin = location.url.origin;
    this.#clock = options.clock;
    this.#authorize = options.authorize ?? basicAuthorization(location, options);
    this.#readProblem = options.readProblem;
    this.#agent = new Agent({
      connections: options.maxConnections ?? MAX_CONNECTIONS,
      // A slow answer must not hold up another one behind it on the same connection.
      pipelining: 1,
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      connect: {
        timeout: stallMs,
        rejectUnauthorized: options.insecure !== true,
        ...(options.caPem === undefined ? {} : { ca: [...getCACertificates('default'), options.caPem] }),
      },
    });
  }

  /**
   * Answers with status 200, 206 or 416; anything else is thrown as its problem.
   * @param headers sent besides our own
   */
  async get(url: URL, headers: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<HttpAnswer> {
    const resolved = this.#resolved.get(url.href);
    const answer = await this.#follow(url, resolved ?? url, headers, options);
    if (resolved && STALE.has(answer.status)) {
      this.#resolved.delete(url.href);
      answer.close();
      return await this.get(url, headers, options);
    }
    const shown = showUrl(url);
    if (answer.status !== 200 && answer.status !== 206 && answer.status !== 416) {
      answer.close();
      const told = this.#readProblem?.(answer.headers);
      throw told ?? problemOfStatus(answer.status, answer.headers, shown, this.#clock.now());
    }
    const encoding = headerOf(answer.headers, 'content-encoding');
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      answer.close();
      throw new ProblemError(
        'SourceRangeIgnored',
        `${shown} answered in encoding ${encoding}, which was not asked for`,
      );
    }
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #follow(
    asked: URL,
    start: URL,
    headers: Readonly<Record<string, string>>,
    options: CallOptions,
  ): Promise<HttpAnswer> {
    let url = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const answer = await this.#send(url, headers, options);
      const target = headerOf(answer.headers, 'location');
      if (!REDIRECTS.has(answer.status) || target === undefined) {
        if (url.href !== asked.href) this.#resolved.set(asked.href, url);
        return answer;
      }
      answer.close();
      url = resolveRedirect(url, target);
    }
    throw new ProblemError('SourceRedirectLoop', `${showUrl(asked)} redirects more than ${MAX_REDIRECTS} times`);
  }

  async #send(url: URL, headers: Readonly<Record<string, string>>, { signal }: CallOptions): Promise<HttpAnswer> {
    signal?.throwIfAborted();
    const shown = showUrl(url);
    const authorization = url.origin === this.#origin ? await this.#authorize?.() : undefined;
    try {
      const {
        statusCode,
        headers: answered,
        body,
      } = await this.#agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'GET',
        headers: {
          'user-agent': 'airlift',
          // Ranges and sizes are those of the stored file only when nothing on the way compresses it.
          'accept-encoding': 'identity',
          ...(authorization === undefined ? {} : { authorization }),
          ...headers,
        },
        ...(signal ? { signal } : {}),
      });
      // Whoever reads the body is thrown its error; but an event that nobody listens to would end the process.
      body.on('error', () => {});
      return {
        status: statusCode,
        headers: answered,
        pieces: () => readBody(body, shown, signal),
        close: () => void body.destroy(),
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw problemOfTransport(error, shown);
    }
  }
}

function basicAuthorization(
  location: HttpLocation,
  options: HttpConnectionOptions,
): (() => Promise<string>) | undefined {
  const user = options.user ?? location.user;
  const password = options.password ?? location.password;
  if (user === undefined && password === undefined) return undefined;
  const value = `Basic ${Buffer.from(`${user ?? ''}:${password ?? ''}`).toString('base64')}`;
  return async () => value;
}

interface Body extends AsyncIterable<Uint8Array> {
  destroy(): unknown;
  on(event: 'error', listener: () => void): unknown;
}

async function* readBody(body: Body, shown: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } catch (error) {
    signal?.throwIfAborted();
    throw problemOfTransport(error, shown);
  } finally {
    body.destroy();
  }
}

function resolveRedirect(from: URL, target: string): URL {
  const url = URL.parse(target, from.href);
  const shown = showUrl(from);
  if (!url || !isHttp(url)) {
    throw new ProblemError('SourceRedirectRefused', `${shown} redirects to something other than an http(s) address`);
  }
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw new ProblemError('SourceRedirectRefused', `${shown} redirects from https to http: ${showUrl(url)}`);
  }
  // Credentials in a redirect are the server's idea, not the user's.
  url.username = '';
  url.password = '';
  url.hash = '';
  return url;
}
