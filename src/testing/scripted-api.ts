import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { SelfSignedCertificate } from './self-signed-certificate.ts';

export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: http.IncomingHttpHeaders;
  /** Parsed; undefined when there is none. */
  readonly body: unknown;
  /** The certificate of the client has this common name. */
  readonly clientName: string | undefined;
}

/** `silence`: never answers. `cut`: closes the connection instead. A stream stays open after its lines unless it `ends`. */
export type ScriptedAnswer =
  | 'silence'
  | 'cut'
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown }
  | { readonly lines: readonly unknown[]; readonly ends?: boolean };

export interface ScriptedApiOptions {
  readonly tls?: SelfSignedCertificate & { readonly clientCaPem?: string };
}

/** A real server on 127.0.0.1 that answers what the test says, request by request. */
export class ScriptedApi implements AsyncDisposable {
  readonly requests: ScriptedRequest[] = [];
  readonly url: URL;
  readonly #server: http.Server;
  readonly #sockets = new Set<Socket>();

  private constructor(
    server: http.Server,
    url: URL,
    answer: (request: ScriptedRequest, index: number) => ScriptedAnswer,
  ) {
    this.#server = server;
    this.url = url;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      // A client that leaves midway is what the tests are about.
      socket.on('error', () => socket.destroy());
    });
    server.on('request', async (request, response) => {
      const read = await readRequest(request);
      this.requests.push(read);
      send(response, answer(read, this.requests.length - 1));
    });
  }

  static async start(
    answer: (request: ScriptedRequest, index: number) => ScriptedAnswer,
    { tls }: ScriptedApiOptions = {},
  ): Promise<ScriptedApi> {
    const ca = tls?.clientCaPem;
    const server = tls
      ? https.createServer({
          key: tls.keyPem,
          cert: tls.certificatePem,
          ...(ca ? { ca, requestCert: true, rejectUnauthorized: false } : {}),
        })
      : http.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return new ScriptedApi(server, new URL(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`), answer);
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function readRequest(request: http.IncomingMessage): Promise<ScriptedRequest> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const text = Buffer.concat(pieces).toString('utf8');
  const { socket } = request;
  const certificate =
    'getPeerCertificate' in socket ? (socket as import('node:tls').TLSSocket).getPeerCertificate() : undefined;
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
    clientName: certificate?.subject ? String(certificate.subject.CN) : undefined,
  };
}

function send(response: http.ServerResponse, answer: ScriptedAnswer): void {
  if (answer === 'silence') return;
  if (answer === 'cut') {
    response.destroy();
    return;
  }
  if ('lines' in answer) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const line of answer.lines) response.write(typeof line === 'string' ? line : `${JSON.stringify(line)}\n`);
    if (answer.ends) response.end();
    return;
  }
  const { status = 200, headers, body } = answer;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body ?? {}));
}
