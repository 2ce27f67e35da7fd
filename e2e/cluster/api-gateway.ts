import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Agent, type Dispatcher } from 'undici';
import { loadAccess } from '../../src/kube/load-access.ts';
import { HttpListener } from '../../src/lib/http-listener.ts';
import { systemClock } from '../../src/main/system-clock.ts';
import { ROOT } from '../support.ts';

/** A request that changes objects, not counting elections, events and questions in the form of objects. */
export interface ApiWrite {
  readonly method: string;
  readonly path: string;
  /** What it said; empty for a deletion. */
  readonly body: string;
}

/** Instead of the server's answer; `lost`: the server is asked, and nobody learns what it said. */
export type ApiFault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly reason: string }
  | 'lost';

export interface ApiGatewayOptions {
  /** As whom the real server is asked. */
  readonly kubeconfigPath: string;
  /** Whoever uses it is that user, without showing anything. */
  readonly disturb?: (request: { readonly method: string; readonly path: string }) => ApiFault | undefined;
}

const UNCOUNTED = /\/(leases|events|tokenreviews|subjectaccessreviews|selfsubjectaccessreviews)(\/|$)/;

/** Stands before a real API server, sees every write, and does wrong what it is told to. */
export class ApiGateway implements AsyncDisposable {
  readonly kubeconfigPath: string;
  /** All requests that were made, watches too. */
  requests = 0;
  /** Asked of each write once the server has done it: true takes the answer away, and everything after it. */
  isLast: (write: ApiWrite) => boolean = () => false;
  readonly #options: ApiGatewayOptions;
  readonly #folder: string;
  readonly #server = createServer();
  readonly #listener: HttpListener;
  readonly #agent: Agent;
  readonly #origin: string;
  #isCut = false;

  private constructor(options: ApiGatewayOptions, agent: Agent, origin: string) {
    this.#options = options;
    this.#agent = agent;
    this.#origin = origin;
    this.#folder = mkdtempSync(join(ROOT, 'node_modules', '.airlift-gateway-'));
    this.kubeconfigPath = join(this.#folder, 'kubeconfig');
    this.#listener = new HttpListener(this.#server, (request, response) =>
      this.#answer(request, response).catch(() => void response.destroy()),
    );
  }

  static async start(options: ApiGatewayOptions): Promise<ApiGateway> {
    const access = await loadAccess({ clock: systemClock, kubeconfig: options.kubeconfigPath });
    const { certificate } = await access.identity.current();
    const ca = await access.readCa();
    const agent = new Agent({
      connect: { ...(ca === undefined ? {} : { ca }), cert: certificate?.certificatePem, key: certificate?.keyPem },
    });
    const gateway = new ApiGateway(options, agent, access.server.origin);
    await gateway.#listener.listen({ port: 0, host: '127.0.0.1' });
    gateway.#writeKubeconfig();
    return gateway;
  }

  /** For whoever comes after the one that was cut off. */
  reopen(): void {
    this.#isCut = false;
    this.isLast = () => false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
    await this.#agent.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #writeKubeconfig(): void {
    const named = { cluster: { server: `http://127.0.0.1:${this.#listener.port}` }, name: 'gateway' };
    const context = { context: { cluster: 'gateway', user: 'gateway' }, name: 'gateway' };
    const users = [{ name: 'gateway', user: { token: 'nothing-that-anybody-reads' } }];
    const config = { apiVersion: 'v1', kind: 'Config', clusters: [named], contexts: [context], users };
    writeFileSync(this.kubeconfigPath, JSON.stringify({ ...config, 'current-context': 'gateway' }), { mode: 0o600 });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#isCut) return void response.destroy();
    this.requests += 1;
    const { method = 'GET', url = '/' } = request;
    const path = url.split('?')[0] ?? '';
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const fault = this.#options.disturb?.({ method, path });
    if (fault !== undefined && fault !== 'lost') return complain(response, fault);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const { host: _, authorization: __, connection: ___, ...headers } = request.headers;
    const body = Buffer.concat(chunks);
    const answer = await this.#agent.request({
      origin: this.#origin,
      path: url,
      method: method as Dispatcher.HttpMethod,
      headers,
      signal: gone.signal,
      bodyTimeout: 0,
      ...(body.length === 0 ? {} : { body }),
    });
    answer.body.on('error', () => {});
    const isWrite = method !== 'GET' && answer.statusCode < 300 && !UNCOUNTED.test(path);
    if (isWrite && this.isLast({ method, path, body: body.toString('utf8') })) {
      this.#isCut = true;
      this.#server.closeAllConnections();
      return;
    }
    if (this.#isCut || fault === 'lost') return void response.destroy();
    response.writeHead(answer.statusCode, answer.headers as NodeJS.Dict<string | string[]>);
    response.flushHeaders();
    await pipeline(answer.body, response);
  }
}

function complain(response: ServerResponse, { status, headers = {}, reason }: Exclude<ApiFault, 'lost'>): void {
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'made up by the test', reason };
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ ...body, code: status }));
}
