import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseRange } from '../lib/byte-range.ts';
import { endWith } from '../lib/http-listener.ts';

export interface FileServerOptions {
  readonly folder: string;
  /** Whether a file of that folder is meant to be read. */
  readonly isShared: (name: string) => boolean;
  /** Everything lies below `/<token>/`. */
  readonly token: string;
  /** PEM. */
  readonly keyPem: string;
  readonly certificatePem: string;
  /** Told how many bytes were sent. */
  readonly onSent?: ((bytes: number) => void) | undefined;
}

/** Of a piece read from disk. */
const PIECE_BYTES = 256 * 1024;
const HEAD_MS = 30_000;
/** Longer than a reader pauses between two ranges. */
const KEEP_ALIVE_MS = 120_000;

/**
 * Some files of one folder over HTTPS, by ranges, on connections that somebody else brings. Their ETag changes when they do, so that a reader never goes on in another file than it began
 * with.
 */
export class FileServer implements AsyncDisposable {
  readonly #options: FileServerOptions;
  readonly #server: Server;
  readonly #prefix: string;
  readonly #connections = new Set<Duplex>();

  constructor(options: FileServerOptions) {
    this.#options = options;
    this.#prefix = `/${options.token}/`;
    const { keyPem: key, certificatePem: cert } = options;
    this.#server = createServer(
      { key, cert, minVersion: 'TLSv1.3', headersTimeout: HEAD_MS, keepAliveTimeout: KEEP_ALIVE_MS },
      (request, response) => void this.#answer(request, response),
    );
    // Who leaves during the handshake wanted nothing.
    this.#server.on('tlsClientError', () => {});
  }

  /** The path of a file's address. */
  pathOf(name: string): string {
    return `${this.#prefix}${encodeURIComponent(name)}`;
  }

  /** Serves whoever is at the other end, until one of the two ends it. */
  serve(connection: Duplex): void {
    this.#connections.add(connection);
    connection.on('error', () => {});
    connection.once('close', () => this.#connections.delete(connection));
    this.#server.emit('connection', connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    for (const connection of this.#connections) {
      connection.destroy();
      if (!connection.closed) await once(connection, 'close');
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = this.#nameIn(request.url ?? '');
    if (name === undefined || !this.#options.isShared(name)) return endWith(response, 404);
    if (request.method !== 'GET' && request.method !== 'HEAD') return endWith(response, 405, { allow: 'GET, HEAD' });
    try {
      await this.#send(name, request, response);
    } catch {
      // Whoever reads sees an answer that is too short, or none; and asks again.
      if (response.headersSent) response.destroy();
      else endWith(response, 404);
    }
  }

  async #send(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    await using file = await open(join(this.#options.folder, name));
    const { size, mtime, mtimeMs, ino } = await file.stat();
    const etag = `"${size.toString(16)}-${Math.trunc(mtimeMs * 1000).toString(16)}-${ino.toString(16)}"`;
    const { range: asked, 'if-range': ifRange } = request.headers;
    const range = parseRange(ifRange === undefined || ifRange === etag ? asked : undefined, size);
    if (range === undefined) return endWith(response, 416, { 'content-range': `bytes */${size}` });
    const { from, to, isPart } = range;
    response.writeHead(isPart ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'content-length': to - from,
      'accept-ranges': 'bytes',
      etag,
      'last-modified': mtime.toUTCString(),
      ...(isPart ? { 'content-range': `bytes ${from}-${to - 1}/${size}` } : {}),
    });
    if (request.method === 'HEAD' || from === to) return void response.end();
    const pieces = file.createReadStream({ start: from, end: to - 1, highWaterMark: PIECE_BYTES, autoClose: false });
    pieces.on('data', (piece) => this.#options.onSent?.(piece.length));
    await pipeline(pieces, response);
  }

  /** Of a name that leads nowhere else. Takes the same time for every guess of the token. */
  #nameIn(url: string): string | undefined {
    const path = url.split('?')[0] ?? '';
    const [given, wanted] = [Buffer.from(path).subarray(0, this.#prefix.length), Buffer.from(this.#prefix)];
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
    try {
      const name = decodeURIComponent(path.slice(this.#prefix.length));
      return name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name) ? undefined : name;
    } catch {
      return undefined;
    }
  }
}
