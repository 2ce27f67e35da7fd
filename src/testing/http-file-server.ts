import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { SelfSignedCertificate } from './self-signed-certificate.ts';

/** What goes wrong. Everything may be changed while the server runs; `times` counts down and the fault ends at 0. */
export interface HttpFaults {
  ignoresRanges?: boolean;
  /** Answers 200 with the whole file to each ranged request after so many requests. */
  ignoresRangesAfter?: number;
  /** Cuts the connection after so many bytes of a body. */
  closesAfter?: { bytes: number; times?: number };
  /** Ends a body properly after so many bytes, as if it had no more; goes with `hidesLength`. */
  endsAfter?: number;
  /** Sends nothing more after so many bytes of a body; -1 withholds the head of the answer too. */
  stallsAfter?: { bytes: number; times?: number };
  /** For one path only where it is given. */
  answers?: { status: number; path?: string; times?: number; headers?: Record<string, string> };
  /** Where a request for this path (with query) is sent on; undefined serves the file. */
  redirects?: (pathAndQuery: string) => string | undefined;
  bytesPerSecond?: number;
  /** Of each connection, kept over all its answers. */
  connectionBytesPerSecond?: number;
  /** Passes before each answer begins. */
  delayMs?: number;
  /** From so many bytes on, the connection with this number (in the order of opening, from 0) sends nothing more, ever, and stays open. */
  deadConnection?: { connection: number; afterBytes: number };
  contentRange?: string;
  contentEncoding?: string;
  /** Leaves the Content-Length away. */
  hidesLength?: boolean;
  /** Once this byte of the file is reached, whatever was asked for: cuts the connection before it, sends nothing more, or turns a bit of it. */
  closesAt?: FaultAtByte;
  stallsAt?: FaultAtByte;
  flipsAt?: FaultAtByte;
  /** Says everywhere that files are so many bytes longer (or, negative, shorter) than they are; what is asked for past the end never comes. */
  lengthError?: number;
}

export interface FaultAtByte {
  byte: number;
  times?: number;
}

export interface HttpRequestRecord {
  /** Of whoever asked. */
  readonly address: string;
  readonly path: string;
  readonly range?: string;
  readonly ifRange?: string;
  readonly authorization?: string;
  readonly acceptEncoding?: string;
  status: number;
  bodyBytes: number;
}

export interface HttpFileServerOptions {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly faults?: HttpFaults;
  readonly tls?: SelfSignedCertificate;
  /** Demanded by HTTP Basic. */
  readonly credentials?: { readonly user: string; readonly password: string };
  /** undefined sends none. */
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  /** Where it listens; 127.0.0.1 unless told. */
  readonly address?: string;
}

const PIECE_BYTES = 64 * 1024;

/** A real server, on 127.0.0.1 unless told otherwise, that serves files from memory and does wrong what it is told to. */
export class HttpFileServer implements AsyncDisposable {
  readonly files: Map<string, Uint8Array>;
  readonly requests: HttpRequestRecord[] = [];
  faults: HttpFaults;
  etag: string | undefined;
  lastModified: string | undefined;
  /** Bodies that `closesAt`, `stallsAt`, `flipsAt` or `lengthError` spoilt. */
  struck = 0;
  /** Is called before each request is answered, with the number of requests before it; may change files, etag and faults. */
  beforeRequest: ((index: number) => void) | undefined;
  /** The most connections that were open at once. */
  mostConnections = 0;
  readonly #server: http.Server;
  readonly #origin: string;
  readonly #credentials: HttpFileServerOptions['credentials'];
  readonly #sockets = new Map<Socket, ConnectionRecord>();
  #accepted = 0;
  #answering = 0;

  private constructor(server: http.Server, options: HttpFileServerOptions, origin: string) {
    this.#server = server;
    this.#origin = origin;
    this.#credentials = options.credentials;
    this.files = new Map(Object.entries(options.files));
    this.faults = options.faults ?? {};
    this.etag = 'etag' in options ? options.etag : '"first"';
    this.lastModified = 'lastModified' in options ? options.lastModified : 'Sun, 01 Nov 2026 10:00:00 GMT';
    server.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.#sockets.set(socket, { number: this.#accepted, sentBytes: 0, paidToMs: 0 });
      this.#accepted += 1;
      this.mostConnections = Math.max(this.mostConnections, this.#sockets.size);
      socket.on('close', () => this.#sockets.delete(socket));
      // A client that leaves midway is what the tests are about.
      socket.on('error', () => socket.destroy());
    });
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  static async start(options: HttpFileServerOptions): Promise<HttpFileServer> {
    const { tls, address = '127.0.0.1' } = options;
    const server = tls
      ? https.createServer({ key: tls.keyPem, cert: tls.certificatePem })
      : http.createServer({ keepAliveTimeout: 60_000 });
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    const { port } = server.address() as AddressInfo;
    return new HttpFileServer(server, options, `${tls ? 'https' : 'http'}://${address}:${port}`);
  }

  url(path: string): string {
    return `${this.#origin}${path}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  get bytesSent(): number {
    return this.requests.reduce((sum, request) => sum + request.bodyBytes, 0);
  }

  /** Waits until no body is being sent, at most 2 s; returns how many still are. A client that stops early may keep other connections open. */
  async waitForAnswers(): Promise<number> {
    for (let tries = 0; tries < 200 && this.#answering > 0; tries += 1) await sleep(10);
    return this.#answering;
  }

  /** Waits until every client has gone, at most 2 s; returns the connections that are still open. */
  async waitForClients(): Promise<number> {
    for (let tries = 0; tries < 200 && this.#sockets.size > 0; tries += 1) await sleep(10);
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    this.beforeRequest?.(this.requests.length);
    const pathAndQuery = request.url ?? '/';
    const { range, authorization } = request.headers;
    const ifRange = request.headers['if-range'];
    const acceptEncoding = request.headers['accept-encoding'];
    const record: HttpRequestRecord = {
      path: pathAndQuery,
      ...(range === undefined ? {} : { range }),
      ...(authorization === undefined ? {} : { authorization }),
      ...(typeof ifRange === 'string' ? { ifRange } : {}),
      ...(typeof acceptEncoding === 'string' ? { acceptEncoding } : {}),
      address: request.socket.remoteAddress ?? '',
      status: 0,
      bodyBytes: 0,
    };
    this.requests.push(record);
    if (this.faults.delayMs !== undefined) await sleep(this.faults.delayMs);
    const head = this.#head(record);
    record.status = head.status;
    if (this.faults.stallsAfter?.bytes === -1 && spend(this.faults.stallsAfter)) return;
    response.writeHead(head.status, head.headers);
    response.flushHeaders();
    this.#answering += 1;
    response.on('close', () => {
      this.#answering -= 1;
    });
    await this.#send(head, response, record);
  }

  #head(request: HttpRequestRecord): Answer {
    const { faults } = this;
    const none = new Uint8Array(0);
    if (faults.answers && (faults.answers.path ?? request.path) === request.path && spend(faults.answers)) {
      return { status: faults.answers.status, headers: { ...faults.answers.headers, 'content-length': 0 }, body: none };
    }
    const target = faults.redirects?.(request.path);
    if (target !== undefined) return { status: 302, headers: { location: target, 'content-length': 0 }, body: none };
    if (this.#credentials) {
      const wanted = Buffer.from(`${this.#credentials.user}:${this.#credentials.password}`).toString('base64');
      if (request.authorization !== `Basic ${wanted}`) {
        return { status: 401, headers: { 'www-authenticate': 'Basic realm="test"', 'content-length': 0 }, body: none };
      }
    }
    const file = this.files.get(decodeURIComponent(request.path.split('?')[0] ?? ''));
    if (!file) return { status: 404, headers: { 'content-length': 0 }, body: none };

    const headers: http.OutgoingHttpHeaders = {
      ...(this.etag === undefined ? {} : { etag: this.etag }),
      ...(this.lastModified === undefined ? {} : { 'last-modified': this.lastModified }),
      ...(faults.contentEncoding === undefined ? {} : { 'content-encoding': faults.contentEncoding }),
    };
    const match = /^bytes=(\d+)-(\d*)$/.exec(request.range ?? '');
    const isStale =
      request.ifRange !== undefined && request.ifRange !== this.etag && request.ifRange !== this.lastModified;
    const isIgnored = faults.ignoresRanges || this.requests.length > (faults.ignoresRangesAfter ?? Infinity);
    const total = file.length + (faults.lengthError ?? 0);
    if (!match || isStale || isIgnored) {
      return { status: 200, headers: { ...headers, ...this.#length(total) }, body: file.subarray(0, total), total };
    }
    const from = Number(match[1]);
    const to = match[2] ? Math.min(Number(match[2]) + 1, total) : total;
    if (from >= total) {
      return { status: 416, headers: { 'content-range': `bytes */${total}`, 'content-length': 0 }, body: none };
    }
    const contentRange = faults.contentRange ?? `bytes ${from}-${to - 1}/${total}`;
    return {
      status: 206,
      headers: { ...headers, 'content-range': contentRange, ...this.#length(to - from) },
      body: file.subarray(from, to),
      from,
      total: to - from,
    };
  }

  #length(bytes: number): http.OutgoingHttpHeaders {
    return this.faults.hidesLength ? {} : { 'content-length': bytes };
  }

  /** Keeps the connection's rate; false for a connection that is dead. */
  async #mayPass(bytes: number, socket: Socket | null): Promise<boolean> {
    const { connectionBytesPerSecond, deadConnection } = this.faults;
    const connection = socket === null ? undefined : this.#sockets.get(socket);
    if (connection === undefined) return true;
    if (deadConnection?.connection === connection.number && connection.sentBytes >= deadConnection.afterBytes) {
      return false;
    }
    connection.sentBytes += bytes;
    if (connectionBytesPerSecond === undefined) return true;
    const now = performance.now();
    connection.paidToMs = Math.max(connection.paidToMs, now) + (bytes / connectionBytesPerSecond) * 1000;
    const aheadMs = connection.paidToMs - now;
    if (aheadMs > 5) await sleep(aheadMs);
    return true;
  }

  async #send(answer: Answer, response: http.ServerResponse, record: HttpRequestRecord): Promise<void> {
    const { closesAfter, stallsAfter, closesAt, stallsAt, flipsAt, bytesPerSecond } = this.faults;
    const isFlipped = flipsAt !== undefined && isWithin(answer, flipsAt) && spend(flipsAt);
    const body = isFlipped ? flipped(answer, flipsAt) : answer.body;
    // Where the bytes end before what was announced, nothing is left but to cut.
    const isShort = answer.total !== undefined && answer.total > body.length;
    const [cut, stall] = [placeOf(answer, closesAt), placeOf(answer, stallsAt)];
    if (isFlipped || cut < Infinity || stall < Infinity || this.faults.lengthError !== undefined) this.struck += 1;
    const closeAt = Math.min(
      closesAfter && closesAfter.bytes < body.length && spend(closesAfter) ? closesAfter.bytes : Infinity,
      cut,
      isShort ? body.length : Infinity,
    );
    const stallAt = Math.min(
      stallsAfter && stallsAfter.bytes < body.length && spend(stallsAfter) ? stallsAfter.bytes : Infinity,
      stall,
    );
    const end = Math.min(body.length, closeAt, stallAt, this.faults.endsAfter ?? Infinity);
    const pieceBytes = bytesPerSecond ? Math.min(PIECE_BYTES, Math.ceil(bytesPerSecond / 20)) : PIECE_BYTES;
    for (let at = 0; at < end && !response.destroyed; at += pieceBytes) {
      const piece = body.subarray(at, Math.min(end, at + pieceBytes));
      if (!(await this.#mayPass(piece.length, response.socket))) return;
      record.bodyBytes += piece.length;
      if (!response.write(piece)) await drained(response);
      if (bytesPerSecond) await sleep((piece.length / bytesPerSecond) * 1000);
    }
    if (closeAt <= end && (closeAt < body.length || isShort)) {
      // Let the bytes out before the connection goes; a reset would take those still in the buffers along.
      response.socket?.end();
    } else if (stallAt >= body.length) {
      response.end();
    }
  }
}

interface Answer {
  readonly status: number;
  readonly headers: http.OutgoingHttpHeaders;
  readonly body: Uint8Array;
  /** Where in the file the body begins. */
  readonly from?: number;
  /** Announced length. */
  readonly total?: number;
}

/** Where in the body the fault lies, which is thereby used up; Infinity when it is elsewhere. */
function placeOf(answer: Answer, fault: FaultAtByte | undefined): number {
  return fault && isWithin(answer, fault) && spend(fault) ? fault.byte - (answer.from ?? 0) : Infinity;
}

function isWithin({ body, from = 0 }: Answer, { byte }: FaultAtByte): boolean {
  return byte >= from && byte < from + body.length;
}

function flipped({ body, from = 0 }: Answer, fault: FaultAtByte): Uint8Array {
  const copy = Uint8Array.from(body);
  copy[fault.byte - from] = (copy[fault.byte - from] ?? 0) ^ 1;
  return copy;
}

interface ConnectionRecord {
  readonly number: number;
  sentBytes: number;
  /** When what was sent so far would have gone out at the connection's rate. */
  paidToMs: number;
}

function spend(fault: { times?: number }): boolean {
  if (fault.times === undefined) return true;
  if (fault.times <= 0) return false;
  fault.times -= 1;
  return true;
}

async function drained(response: http.ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
