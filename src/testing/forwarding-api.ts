import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** RFC 6455 1.3. */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const BINARY = 0x82;
const CLOSE = 0x88;

/** One forwarded port as the API server sees it: frames of channels, the first byte being the channel (`v4.channel.k8s.io`). */
export class ForwardedSocket {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  /** What came on the data channel, in order. */
  data = Buffer.alloc(0);
  isClosed = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (piece: Buffer) => this.#take(piece));
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  send(channel: number, bytes: Uint8Array | string): void {
    const body = Buffer.concat([Buffer.from([channel]), Buffer.from(bytes)]);
    const head = Buffer.from([BINARY, 126, body.length >> 8, body.length & 0xff]);
    this.#socket.write(Buffer.concat([body.length < 126 ? Buffer.from([BINARY, body.length]) : head, body]));
  }

  /** Of port 8446, as the node does it on each channel. */
  begin(): void {
    for (const channel of [0, 1]) this.send(channel, Buffer.from([8446 & 0xff, 8446 >> 8]));
  }

  close(): void {
    this.#socket.end(Buffer.from([CLOSE, 0]));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Frames of a client are masked (RFC 6455 5.3). */
  #take(piece: Buffer): void {
    this.#received = Buffer.concat([this.#received, piece]);
    for (;;) {
      const frame = this.#received;
      const short = (frame[1] ?? 0) & 0x7f;
      const head = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
      if (frame.length < head + 4) return;
      const length = short === 126 ? frame.readUInt16BE(2) : short === 127 ? Number(frame.readBigUInt64BE(2)) : short;
      if (frame.length < head + 4 + length) return;
      const mask = frame.subarray(head, head + 4);
      const body = frame.subarray(head + 4, head + 4 + length).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      if (frame[0] === CLOSE) this.close();
      if (frame[0] === BINARY && body[0] === 0) this.data = Buffer.concat([this.data, body.subarray(1)]);
      this.#received = frame.subarray(head + 4 + length);
    }
  }
}

export interface ForwardingApiOptions {
  /** Of the upgrade; 101 unless told. */
  readonly status?: number;
  /** Verbs on pods/portforward that this user may not use. */
  readonly denied?: readonly string[];
}

/** An API server that forwards ports, on 127.0.0.1. */
export class ForwardingApi implements AsyncDisposable {
  readonly requests: IncomingMessage[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #forwarded: ForwardedSocket[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start({ status = 101, denied = [] }: ForwardingApiOptions = {}): Promise<ForwardingApi> {
    const server = createServer();
    const api = new ForwardingApi(server);
    server.on('connection', (socket: Socket) => api.#sockets.add(socket));
    server.on('request', async (request, response) => {
      let text = '';
      for await (const piece of request) text += piece;
      const { verb } = JSON.parse(text).spec.resourceAttributes;
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ status: { allowed: !denied.includes(verb) } }));
    });
    server.on('upgrade', (request, socket: Socket) => {
      api.requests.push(request);
      if (status !== 101) {
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
        return;
      }
      const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${MAGIC}`).digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: v4.channel.k8s.io\r\n\r\n`,
      );
      api.#forwarded.push(new ForwardedSocket(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return api;
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  /** The one that was opened last. */
  get forwarded(): ForwardedSocket {
    const last = this.#forwarded.at(-1);
    if (last === undefined) throw new Error('nobody has asked for a port yet');
    return last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
