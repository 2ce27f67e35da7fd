import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface RelayOptions {
  /** Where the cluster asks for files; all addresses. */
  readonly port: number;
  /** Where the one who has the files comes in; loopback, which a forwarded port of the Pod leads to. */
  readonly tunnelPort: number;
  /** How long one who asks waits for a tunnel; 10 s unless told. */
  readonly waitMs?: number;
  /** How long nobody may have brought a tunnel before it gives up; 15 minutes unless told. */
  readonly aloneMs?: number;
}

const WAIT_MS = 10_000;
const ALONE_MS = 15 * 60_000;
/** Beyond any number of workers that one import has. */
const MOST_WAITING = 256;

/**
 * Two doors: by one the cluster asks, by the other whoever has the files has left connections that wait for somebody to ask. Each who asks is given one of these, byte for byte and for
 * its whole life. What passes is TLS between the two ends; nothing is known of it here.
 */
export class RelayConnections implements AsyncDisposable {
  readonly #options: RelayOptions;
  readonly #asking: Server;
  readonly #tunnels: Server;
  readonly #sockets = new Set<Socket>();
  readonly #parked: Socket[] = [];
  readonly #waiting: { readonly socket: Socket; readonly timer: NodeJS.Timeout }[] = [];
  #aloneSince: NodeJS.Timeout | undefined;
  readonly #left = Promise.withResolvers<void>();

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#asking = createServer((socket) => this.#ask(this.#hold(socket)));
    this.#tunnels = createServer((socket) => this.#offer(this.#hold(socket)));
  }

  static async start(options: RelayOptions): Promise<RelayConnections> {
    const relay = new RelayConnections(options);
    relay.#asking.listen(options.port);
    relay.#tunnels.listen(options.tunnelPort, '127.0.0.1');
    await Promise.all([once(relay.#asking, 'listening'), once(relay.#tunnels, 'listening')]);
    relay.#watchAlone();
    return relay;
  }

  get port(): number {
    return (this.#asking.address() as AddressInfo).port;
  }

  get tunnelPort(): number {
    return (this.#tunnels.address() as AddressInfo).port;
  }

  /** Resolves when nobody has brought a tunnel for so long that nobody will. */
  get left(): Promise<void> {
    return this.#left.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#aloneSince);
    for (const socket of this.#sockets) socket.destroy();
    for (const server of [this.#asking, this.#tunnels]) {
      if (!server.listening) continue;
      server.close();
      await once(server, 'close');
    }
  }

  #hold(socket: Socket): Socket {
    this.#sockets.add(socket);
    // Who left, and how, is told by `close`.
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.setNoDelay(true);
    return socket;
  }

  #ask(socket: Socket): void {
    const tunnel = this.#parked.shift();
    if (tunnel !== undefined) {
      this.#join(socket, tunnel);
      return;
    }
    if (this.#waiting.length >= MOST_WAITING) {
      socket.destroy();
      return;
    }
    const timer = setTimeout(() => socket.destroy(), this.#options.waitMs ?? WAIT_MS);
    const place = { socket, timer };
    this.#waiting.push(place);
    socket.once('close', () => {
      clearTimeout(timer);
      remove(this.#waiting, place);
    });
  }

  #offer(tunnel: Socket): void {
    clearTimeout(this.#aloneSince);
    tunnel.once('close', () => {
      remove(this.#parked, tunnel);
      this.#watchAlone();
    });
    const place = this.#waiting.shift();
    if (place === undefined) {
      this.#parked.push(tunnel);
      return;
    }
    clearTimeout(place.timer);
    this.#join(place.socket, tunnel);
  }

  /** The end of one is the end of the other, after what is on its way. */
  #join(socket: Socket, tunnel: Socket): void {
    socket.pipe(tunnel).pipe(socket);
    socket.once('close', () => tunnel.destroySoon());
    tunnel.once('close', () => socket.destroySoon());
  }

  #watchAlone(): void {
    clearTimeout(this.#aloneSince);
    if (this.#parked.length > 0) return;
    this.#aloneSince = setTimeout(() => this.#left.resolve(), this.#options.aloneMs ?? ALONE_MS);
  }
}

function remove<T>(all: T[], one: T): void {
  const at = all.indexOf(one);
  if (at !== -1) all.splice(at, 1);
}
