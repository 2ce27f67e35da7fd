import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Server } from 'node:net';

export interface ListenOptions {
  /** 0 takes any that is free. */
  readonly port: number;
  /** All addresses unless told. */
  readonly host?: string | undefined;
}

/** Of `node:http` or `node:https`. */
type HttpServer = Server & { closeAllConnections(): void };

/** Answers one request, and tells of everything that goes wrong in its answer: nobody awaits it. */
type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** An HTTP server that knows what it is still answering: disposed of, it closes all connections at once and then waits for those answers to notice. */
export class HttpListener implements AsyncDisposable {
  readonly #server: HttpServer;
  readonly #answering = new Set<Promise<void>>();

  constructor(server: HttpServer, answer: Answer) {
    this.#server = server;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // Who leaves midway is told of by `close`; an event that nobody listens to would end the process.
      response.on('error', () => {});
      this.#track(answer(request, response));
    });
  }

  /** @throws Error `EADDRINUSE`, `EACCES` and what else keeps it from listening */
  async listen({ port, host }: ListenOptions): Promise<void> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Requests whose answers have not ended; one that has just come is not among them before its answer first waits. */
  get answering(): number {
    return this.#answering.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    await Promise.all(this.#answering);
  }

  #track(answer: Promise<void>): void {
    const tracked = answer.finally(() => void this.#answering.delete(tracked));
    this.#answering.add(tracked);
  }
}

/** Answers without a body. */
export function endWith(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { ...headers, 'content-length': '0' });
  response.end();
}

/** Until more can be written, or nobody is there to take it. */
export async function drained(response: ServerResponse): Promise<void> {
  if (!response.writableNeedDrain) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
