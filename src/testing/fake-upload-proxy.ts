import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface FakeUploadProxyOptions {
  readonly certificate: { readonly certificatePem: string; readonly keyPem: string };
  /** The volume that uploads are written to. */
  readonly path: string;
  readonly address?: string;
}

/**
 * CDI's upload proxy with the server behind it, as far as whoever uploads sees them (pkg/uploadproxy/uploadproxy.go and pkg/uploadserver/uploadserver.go of CDI 1.64): one upload at a time, from its
 * first byte on; what breaks off is answered 500 and may begin anew; after a whole one 409.
 */
export class FakeUploadProxy implements AsyncDisposable {
  /** Those that are not over. */
  readonly tokens = new Set<string>();
  isReady = true;
  isDone = false;
  /** Breaks the connection off after so many bytes of the next upload. */
  breaksAfter: number | undefined;
  /** Refuses the disk once it is there, with these words. */
  refusal: string | undefined;
  readonly answers: number[] = [];
  /** Most bytes of the upload under way that were taken. */
  takenBytes = 0;
  readonly #options: FakeUploadProxyOptions;
  readonly #server: Server;
  #isBusy = false;

  private constructor(options: FakeUploadProxyOptions) {
    this.#options = options;
    const { certificatePem, keyPem } = options.certificate;
    this.#server = createServer({ cert: certificatePem, key: keyPem }, (request, response) => {
      void this.#answer(request, response).then((status) => this.answers.push(status));
    });
  }

  static async start(options: FakeUploadProxyOptions): Promise<FakeUploadProxy> {
    const proxy = new FakeUploadProxy(options);
    await once(proxy.#server.listen(0, options.address ?? '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `https://${this.#options.address ?? '127.0.0.1'}:${port}/v1beta1/upload`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<number> {
    request.on('error', () => {});
    response.on('error', () => {});
    const [, token] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    const end = (status: number, words = '') => {
      response.writeHead(status).end(words);
      return status;
    };
    if (request.url !== '/v1beta1/upload') return end(404);
    if (token === undefined) return end(400);
    if (!this.tokens.has(token)) return end(401);
    if (!this.isReady || this.#isBusy) return end(503, 'timed out waiting for the condition');
    if (this.isDone) return end(409);
    this.#isBusy = true;
    try {
      await using file = await open(this.#options.path, 'w');
      await this.#write(request, file);
      if (this.refusal !== undefined) return end(400, this.refusal);
      this.isDone = true;
      return end(200);
    } catch (error) {
      return end(500, `Saving stream failed: ${String(error)}`);
    } finally {
      this.#isBusy = false;
    }
  }

  async #write(request: IncomingMessage, file: FileHandle): Promise<void> {
    this.takenBytes = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      await file.write(piece, 0, piece.length, this.takenBytes);
      this.takenBytes += piece.length;
      if (this.breaksAfter !== undefined && this.takenBytes >= this.breaksAfter) {
        this.breaksAfter = undefined;
        request.socket.destroy();
        throw new Error('unexpected EOF');
      }
    }
    const expected = Number(request.headers['content-length']);
    if (this.takenBytes !== expected) throw new Error(`unexpected EOF at ${this.takenBytes} of ${expected}`);
  }
}
