import { Agent } from 'undici';
import { ProblemError } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { EndpointAnswer, EndpointRequest, SendRequest } from './endpoint-client.ts';

/** Until the head of an answer is there; a controller that stores a checkpoint waits for the cluster's API. */
const ANSWER_MS = 20_000;
const CONNECT_MS = 10_000;
const MOST_BODY_BYTES = 2 * 1024 * 1024;

/** Calls of the endpoint, over TLS that trusts the authority given and no other. */
export class EndpointHttp implements AsyncDisposable {
  readonly #url: string;
  readonly #readCa: () => Promise<string>;
  #connected: { readonly ca: string; readonly agent: Agent } | undefined;

  constructor(url: string, readCa: () => Promise<string>) {
    this.#url = url;
    this.#readCa = readCa;
  }

  /** @throws ProblemError `EndpointUnreachable` */
  readonly send: SendRequest = async (request, options = {}) => {
    this.#connected ??= await this.#connect();
    const { ca, agent } = this.#connected;
    try {
      return await this.#ask(agent, request, options);
    } catch (cause) {
      options.signal?.throwIfAborted();
      await this.#forgetOutdated(ca);
      throw unreachable(this.#url, cause);
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connected?.agent.destroy();
  }

  async #connect(): Promise<{ readonly ca: string; readonly agent: Agent }> {
    const ca = await this.#readCa().catch((cause: unknown) => {
      throw unreachable(this.#url, cause);
    });
    const connect = { timeout: CONNECT_MS, ca };
    const agent = new Agent({
      connections: 4,
      pipelining: 1,
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
      connect,
    });
    return { ca, agent };
  }

  /** The authority may have been replaced, which is why it did not answer; the file is then replaced too. */
  async #forgetOutdated(ca: string): Promise<void> {
    const now = await this.#readCa().catch(() => ca);
    const connected = this.#connected;
    if (now === ca || connected?.ca !== ca) return;
    this.#connected = undefined;
    await connected.agent.close();
  }

  async #ask(agent: Agent, request: EndpointRequest, { signal }: CallOptions): Promise<EndpointAnswer> {
    const { method, path, headers, body } = request;
    const limit = AbortSignal.timeout(request.timeoutMs ?? ANSWER_MS + CONNECT_MS);
    const answer = await agent.request({
      origin: this.#url,
      path,
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    });
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
      length += piece.length;
      if (length > MOST_BODY_BYTES) throw new Error(`it answers with more than ${MOST_BODY_BYTES} bytes`);
      pieces.push(piece);
    }
    return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) };
  }
}

function unreachable(url: string, cause: unknown): ProblemError {
  const code = cause instanceof Error && 'code' in cause ? `${String(cause.code)}: ` : '';
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ProblemError('EndpointUnreachable', `${url}: ${code}${why}`, { cause });
}
