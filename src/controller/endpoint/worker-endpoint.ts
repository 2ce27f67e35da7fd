import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import {
  bodyLimits,
  DONE_BYTES_HEADER,
  outcomeSchema,
  progressSchema,
  type TransferRun,
} from '../../api/transfer-protocol.ts';
import { isProblem, ProblemError } from '../../domain/problems.ts';
import { HttpListener } from '../../lib/http-listener.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { WorkerAdmission } from './admit-worker.ts';
import { answerProblem } from './answer-problem.ts';
import type { EndpointCertificate } from './create-certificate.ts';
import { readBody, readJson } from './read-body.ts';
import { RelayPool } from './relay-pool.ts';
import { relaySource } from './relay-source.ts';
import type { ReviewToken, TransferDesk, WorkerIdentity } from './transfer-desk.ts';

export interface WorkerEndpointOptions {
  readonly desk: TransferDesk;
  readonly reviewToken: ReviewToken;
  readonly certificate: Pick<EndpointCertificate, 'certificatePem' | 'keyPem'>;
  readonly clock: Clock;
  readonly log: Log;
  /** All addresses unless told. */
  readonly host?: string | undefined;
  /** 0 takes any that is free. */
  readonly port: number;
  /** Bodies relayed at once, for one transfer (24 unless told: what a worker's window opens, and some it has just given up) and for all of them (256 unless told). */
  readonly relayLimits?: { readonly mostOfOne?: number; readonly mostOfAll?: number };
}

interface Call {
  readonly run: TransferRun;
  readonly worker: WorkerIdentity;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborted when the worker goes away. */
  readonly signal: AbortSignal;
}

/** `/v1/transfers/<id>/<epoch>[/<what>[/<path>]]` */
const ROUTE = /^\/v1\/transfers\/([^/]{1,200})\/(\d{1,9})(?:\/([a-z]+)(?:\/(.+))?)?$/;
/** Neither a head nor a body of ours takes longer. */
const REQUEST_MS = 30_000;
/** More than one worker ever needs; a bound for those who are none. */
const MOST_CONNECTIONS = 4096;

/**
 * The server that workers talk to, over TLS and each as itself (docs/contracts/worker.md). Knows nothing of Kubernetes' objects: what there is to know about transfers, it asks the desk.
 */
export class WorkerEndpoint implements AsyncDisposable {
  readonly #options: WorkerEndpointOptions;
  readonly #server: Server;
  readonly #listener: HttpListener;
  readonly #admission: WorkerAdmission;
  readonly #relays: RelayPool;

  private constructor(options: WorkerEndpointOptions) {
    const { desk, reviewToken, clock, log, relayLimits = {}, certificate } = options;
    this.#options = options;
    this.#admission = new WorkerAdmission(desk, reviewToken, clock);
    this.#relays = new RelayPool({
      open: (run) => desk.openRelay(run),
      clock,
      log,
      mostOfOne: relayLimits.mostOfOne ?? 24,
      mostOfAll: relayLimits.mostOfAll ?? 256,
    });
    this.#server = createServer({
      ...tlsOf(certificate),
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: 2 * REQUEST_MS,
      maxHeaderSize: 32 * 1024,
      // Heads of files, checkpoints and progress are small; waiting to fill a packet only delays them.
      noDelay: true,
    });
    this.#listener = new HttpListener(this.#server, (request, response) => this.#answer(request, response));
    this.#server.maxConnections = MOST_CONNECTIONS;
    // Port scans and clients that do not trust us: their affair.
    this.#server.on('tlsClientError', () => {});
  }

  static async start(options: WorkerEndpointOptions): Promise<WorkerEndpoint> {
    const endpoint = new WorkerEndpoint(options);
    await endpoint.#listener.listen(options);
    return endpoint;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** For connections from now on; those that are open stay. */
  setCertificate(certificate: Pick<EndpointCertificate, 'certificatePem' | 'keyPem'>): void {
    this.#server.setSecureContext(tlsOf(certificate));
  }

  /** Closes connections at once: workers pause, and go on with whoever answers next. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
    await this.#relays[Symbol.asyncDispose]();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log } = this.#options;
    const gone = new AbortController();
    response.on('close', () => gone.abort(new Error('the worker went away')));
    const { signal } = gone;
    const [pathname = ''] = (request.url ?? '').split('?');
    try {
      const { run, what, path } = parseRoute(pathname);
      const worker = await this.#admission.admit(run, request.headers.authorization, { signal });
      await this.#route(`${request.method} ${what}`, path, { run, worker, request, response, signal });
    } catch (error) {
      // Nobody is there to be answered, and what broke off did so for that reason.
      if (signal.aborted) return;
      if (!isProblem(error)) log.error('request failed', { path: pathname, error: tell(error) });
      else if (error.code !== 'SourceBusy')
        log.warn('request refused', { path: pathname, code: error.code, detail: error.message });
      answerProblem(response, error);
    }
  }

  async #route(route: string, path: string | undefined, call: Call): Promise<void> {
    const { desk } = this.#options;
    const { run, worker, request, response, signal } = call;
    switch (path === undefined || route === 'GET source' ? route : '') {
      // Still there, still the one.
      case 'GET ':
        return endWith(response, 204);
      case 'GET assignment':
        return sendJson(response, await desk.readAssignment(run, { signal }));
      case 'GET taken':
        return sendJson(response, { isTaken: await desk.isTaken(run, { signal }) });
      case 'GET upload': {
        const ticket = await desk.readUpload(run, { signal });
        return ticket === undefined ? endWith(response, 204) : sendJson(response, ticket);
      }
      case 'GET checkpoint':
        return sendBytes(response, await desk.loadCheckpoint(run, { signal }));
      case 'PUT checkpoint': {
        const bytes = await readBody(request, bodyLimits.checkpoint);
        // Not under the signal: what was begun to be stored is stored.
        await desk.saveCheckpoint(run, { bytes, doneBytes: doneBytesOf(request) });
        return endWith(response, 204);
      }
      case 'DELETE checkpoint':
        await desk.removeCheckpoint(run);
        return endWith(response, 204);
      case 'POST progress':
        desk.reportProgress(run, await readJson(request, progressSchema, bodyLimits.progress), worker);
        return endWith(response, 204);
      case 'POST outcome':
        await desk.reportOutcome(run, await readJson(request, outcomeSchema, bodyLimits.outcome));
        endWith(response, 204);
        return await this.#relays.close(run.id);
      case 'GET source': {
        const asked = decodePath(path ?? '');
        return await this.#relays.use(run, (relay) => relaySource(relay, asked, request, response, { signal }), {
          signal,
        });
      }
      default:
        throw new ProblemError('EndpointNotUnderstood', `there is no ${route}`);
    }
  }
}

function parseRoute(pathname: string): { readonly run: TransferRun; readonly what: string; readonly path?: string } {
  const [, id, epoch, what = '', path] = ROUTE.exec(pathname) ?? [];
  if (id === undefined) throw new ProblemError('EndpointNotUnderstood', 'there is nothing at this path');
  return { run: { id: decodePath(id), epoch: Number(epoch) }, what, ...(path === undefined ? {} : { path }) };
}

/** Segment by segment, as the worker encoded it. */
function decodePath(path: string): string {
  try {
    return path.split('/').map(decodeURIComponent).join('/');
  } catch (cause) {
    throw new ProblemError('EndpointNotUnderstood', 'the path is not properly encoded', { cause });
  }
}

function doneBytesOf({ headers }: IncomingMessage): number {
  const value = headers[DONE_BYTES_HEADER];
  const doneBytes = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(doneBytes)) return doneBytes;
  throw new ProblemError('EndpointNotUnderstood', `${DONE_BYTES_HEADER} is no number of bytes`);
}

function sendJson(response: ServerResponse, value: object): void {
  const body = JSON.stringify(value);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function sendBytes(response: ServerResponse, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) {
    endWith(response, 204);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length });
  response.end(bytes);
}

function endWith(response: ServerResponse, status: number): void {
  response.writeHead(status);
  response.end();
}

function tlsOf({ certificatePem, keyPem }: Pick<EndpointCertificate, 'certificatePem' | 'keyPem'>) {
  return { cert: certificatePem, key: keyPem, minVersion: 'TLSv1.3' } as const;
}

function tell(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
