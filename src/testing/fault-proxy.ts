import net, { type AddressInfo, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Stands between a client and a server and forwards bytes as they are, so that TLS stays between those two; and does wrong what it is told to. */
export class FaultProxy implements AsyncDisposable {
  readonly port: number;
  /** Connections made since the start. */
  accepted = 0;
  readonly #listener: net.Server;
  readonly #pairs = new Set<Pair>();
  readonly #target: URL;
  #refuses = false;
  #isSilent = false;

  private constructor(listener: net.Server, target: URL) {
    this.#listener = listener;
    this.#target = target;
    this.port = (listener.address() as AddressInfo).port;
    listener.on('connection', (client: Socket) => this.#join(client));
  }

  static async start(target: URL): Promise<FaultProxy> {
    const listener = net.createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new FaultProxy(listener, target);
  }

  get open(): number {
    return this.#pairs.size;
  }

  /** Ends all connections abruptly. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  /** From now on nothing more passes on the connections there are; both sides keep them open. New ones work. */
  freeze(): void {
    for (const { client, server } of this.#pairs) {
      client.unpipe(server);
      server.unpipe(client);
      client.pause();
      server.pause();
    }
  }

  /** Takes new connections and passes nothing on, as long as this is so. */
  set isSilent(isSilent: boolean) {
    this.#isSilent = isSilent;
  }

  /** Ends new connections at once, as long as this is so. */
  set refuses(refuses: boolean) {
    this.#refuses = refuses;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #join(client: Socket): void {
    this.accepted += 1;
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = net.connect(Number(this.#target.port), this.#target.hostname);
    const pair = { client, server };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      // Broken connections are what it is for.
      socket.on('error', end);
      socket.on('close', end);
    }
    if (this.#isSilent) return;
    client.pipe(server);
    server.pipe(client);
  }
}
