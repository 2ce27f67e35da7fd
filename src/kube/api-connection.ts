import { getCACertificates } from 'node:tls';
import { Agent, type Dispatcher, WebSocket } from 'undici';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import { problemOfStatus, readStatus } from './answer-problems.ts';
import type { ApiAccess, ClientCertificate, Credentials } from './api-access.ts';
import { type Asked, describeAsked } from './asked.ts';
import { readJson } from './read-json.ts';
import { problemOfTransport } from './transport-problems.ts';

export interface ApiConnectionOptions {
  readonly clock: Clock;
  /** Sent as the name of the program. */
  readonly userAgent?: string | undefined;
  /** How long an answer may take to begin, or to go on; 30 s unless told. */
  readonly answerMs?: number | undefined;
  /** Each request that was sent, for metrics: with the status of its answer, or without when none came. */
  readonly onAnswer?: ((asked: Asked, status: number | undefined) => void) | undefined;
}

export interface ApiRequest {
  readonly asked: Asked;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the server's address. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
}

export interface StreamOptions extends CallOptions {
  /** How long nothing may come. Time in which nobody asks for bytes does not count. */
  readonly idleMs: number;
}

export interface SocketOptions extends CallOptions {
  /** The subprotocol. */
  readonly protocol: string;
}

const ANSWER_MS = 30_000;
/** A page of 500 objects of a quarter of a megabyte each; more is no answer we ask for. */
const MOST_BYTES = 128 * 1024 * 1024;
const MOST_COMPLAINT_BYTES = 1024 * 1024;

/** Requests to one API server, each made once, with every failure named. Credentials that were refused are had anew once. */
export class ApiConnection implements AsyncDisposable {
  readonly access: ApiAccess;
  readonly clock: Clock;
  readonly #userAgent: string;
  readonly #answerMs: number;
  readonly #onAnswer: ApiConnectionOptions['onAnswer'];
  #agent: { readonly agent: Agent; readonly certificate: ClientCertificate | undefined } | undefined;
  /** Those left behind too, until what is under way there has ended. */
  readonly #agents = new Set<Agent>();
  #isDisposed = false;

  constructor(access: ApiAccess, options: ApiConnectionOptions) {
    const { clock, userAgent = 'airlift', answerMs = ANSWER_MS, onAnswer } = options;
    this.access = access;
    this.clock = clock;
    this.#userAgent = userAgent;
    this.#answerMs = answerMs;
    this.#onAnswer = onAnswer;
  }

  /** The whole answer, as JSON. */
  async ask(request: ApiRequest, options: CallOptions = {}): Promise<unknown> {
    const body = await this.#open(request, { ...options, idleMs: this.#answerMs });
    return await readJson(this.#pieces(body, request.asked, options), MOST_BYTES, describeAsked(request.asked));
  }

  /** The answer as it comes. Leaving it early closes its connection. */
  async stream(request: ApiRequest, options: StreamOptions): Promise<AsyncGenerator<Uint8Array, void>> {
    return this.#pieces(await this.#open(request, options), request.asked, options);
  }

  /** A WebSocket of this server on its way, as this user; of why it may fail its events say nothing but that it did. */
  async webSocket(path: string, query: Readonly<Record<string, string>>, options: SocketOptions): Promise<WebSocket> {
    const { server, identity } = this.access;
    const { headers, certificate } = await identity.current(options);
    const url = new URL(`${server.pathname.replace(/\/+$/, '')}${path}?${new URLSearchParams(query)}`, server);
    url.protocol = server.protocol === 'http:' ? 'ws:' : 'wss:';
    const dispatcher = await this.#agentFor(certificate);
    const sent = Object.entries(headers).flatMap(([name, value]) =>
      [value].flat().map((each) => [name, each] as [string, string]),
    );
    return new WebSocket(url, {
      protocols: [options.protocol],
      dispatcher,
      headers: [...sent, ['user-agent', this.#userAgent]],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await Promise.all([...this.#agents].map((agent) => agent.destroy()));
  }

  /** The body of an answer with a good status. */
  async #open(request: ApiRequest, options: StreamOptions): Promise<Dispatcher.ResponseData['body']> {
    const { identity } = this.access;
    for (let isSecondTry = false; ; isSecondTry = true) {
      options.signal?.throwIfAborted();
      const { statusCode, headers, body } = await this.#send(request, await identity.current(options), options);
      if (statusCode >= 200 && statusCode < 300) return body;
      const problem = await this.#complaint(statusCode, headers, body, request.asked, options);
      if (statusCode !== 401 || isSecondTry || !identity.refuse()) throw problem;
    }
  }

  async #send(request: ApiRequest, credentials: Credentials, { signal, idleMs }: StreamOptions) {
    const { server } = this.access;
    const { method, path, query, body, contentType = 'application/json', asked } = request;
    const search = new URLSearchParams(
      Object.entries(query ?? {}).filter((each): each is [string, string] => each[1] !== undefined),
    );
    const prefix = server.pathname.replace(/\/+$/, '');
    const agent = await this.#agentFor(credentials.certificate);
    try {
      const answer = await agent.request({
        origin: server.origin,
        path: `${prefix}${path}${search.size > 0 ? `?${search}` : ''}`,
        method,
        headers: {
          accept: 'application/json',
          'user-agent': this.#userAgent,
          ...(body === undefined ? {} : { 'content-type': contentType }),
          ...credentials.headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headersTimeout: this.#answerMs,
        bodyTimeout: idleMs,
        ...(signal ? { signal } : {}),
      });
      // Whoever reads the body is thrown its error; but an event that nobody listens to would end the process.
      answer.body.on('error', () => {});
      this.#onAnswer?.(asked, answer.statusCode);
      return answer;
    } catch (error) {
      this.#onAnswer?.(asked, undefined);
      throw this.#problemOf(error, asked, signal);
    }
  }

  async *#pieces(
    body: Dispatcher.ResponseData['body'],
    asked: Asked,
    { signal }: CallOptions,
  ): AsyncGenerator<Uint8Array, void> {
    try {
      yield* body as AsyncIterable<Uint8Array>;
    } catch (error) {
      throw this.#problemOf(error, asked, signal);
    } finally {
      body.destroy();
    }
  }

  async #complaint(
    statusCode: number,
    headers: Dispatcher.ResponseData['headers'],
    body: Dispatcher.ResponseData['body'],
    asked: Asked,
    options: CallOptions,
  ): Promise<ProblemError> {
    const pieces = this.#pieces(body, asked, options);
    let status: unknown;
    try {
      status = await readJson(pieces, MOST_COMPLAINT_BYTES, describeAsked(asked));
    } catch (error) {
      // A proxy's page or an answer cut short: the number alone says enough.
      if (!(error instanceof ProblemError)) throw error;
    }
    const seconds = Number(headers['retry-after']);
    return problemOfStatus(statusCode, readStatus(status), asked, seconds > 0 ? seconds * 1_000 : undefined);
  }

  #problemOf(error: unknown, asked: Asked, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted) return signal.reason;
    const problem = problemOfTransport(error, `${this.access.server.origin}, ${asked.verb} ${describeAsked(asked)}`);
    // The CA may have been renewed; the next request reads it again.
    if (problem instanceof ProblemError && problem.code === 'ClusterCertificateUntrusted') this.#leaveAgent();
    return problem;
  }

  /** One pool of connections for as long as the client's certificate is the same. */
  async #agentFor(certificate: ClientCertificate | undefined): Promise<Agent> {
    if (this.#agent && isSameCertificate(this.#agent.certificate, certificate)) return this.#agent.agent;
    const { readCa, isUnverified, serverName } = this.access;
    const ca = await readCa();
    if (this.#isDisposed) throw new ProblemError('ClusterUnreachable', 'the connection to the cluster was closed');
    if (this.#agent && isSameCertificate(this.#agent.certificate, certificate)) return this.#agent.agent;
    this.#leaveAgent();
    const agent = new Agent({
      pipelining: 1,
      connect: {
        timeout: Math.min(10_000, this.#answerMs),
        rejectUnauthorized: !isUnverified,
        // Of a private CA only its own certificates are trusted, as kubectl does.
        ca: ca === undefined ? getCACertificates('default') : ca,
        ...(certificate ? { cert: certificate.certificatePem, key: certificate.keyPem } : {}),
        ...(serverName === undefined ? {} : { servername: serverName }),
      },
    });
    this.#agent = { agent, certificate };
    this.#agents.add(agent);
    return agent;
  }

  /** What is under way there ends as it would. */
  #leaveAgent(): void {
    const left = this.#agent?.agent;
    this.#agent = undefined;
    if (left === undefined) return;
    // Destroyed before it has ended by itself: nothing is left to be told.
    left.close().then(
      () => this.#agents.delete(left),
      () => this.#agents.delete(left),
    );
  }
}

function isSameCertificate(a: ClientCertificate | undefined, b: ClientCertificate | undefined): boolean {
  return a?.certificatePem === b?.certificatePem && a?.keyPem === b?.keyPem;
}
