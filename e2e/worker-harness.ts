// What the tests of the worker share: a real worker process, a real endpoint in the test's own process, and a fake desk behind it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Assignment } from '../src/api/transfer-protocol.ts';
import { createCertificate, type EndpointCertificate } from '../src/controller/endpoint/create-certificate.ts';
import { WorkerEndpoint } from '../src/controller/endpoint/worker-endpoint.ts';
import { systemClock } from '../src/main/system-clock.ts';
import type { Log } from '../src/ports/log.ts';
import { createOvaRelay } from '../src/sources/ova/ova-relay.ts';
import { FakeTransferDesk, fakeReviews } from '../src/testing/fake-transfer-desk.ts';
import { NODE_FLAGS, ROOT } from './support.ts';

export const TRANSFER = 'b6a7c6a2-0000-4000-8000-000000000001.0';
export const TOKEN = 'token-of-the-worker';

export interface WorkerWorldOptions {
  readonly folder: string;
  readonly volumePath: string;
  readonly sourceUrl: string;
  readonly account?: { readonly user: string; readonly password: string };
  /** Through the endpoint unless told. */
  readonly isDirect?: boolean;
  readonly assignment?: Partial<Assignment>;
  /** The worker to start; the one in src/ unless told. */
  readonly script?: string;
}

/** One transfer with everything around it. */
export class WorkerWorld implements AsyncDisposable {
  readonly desk: FakeTransferDesk;
  readonly #options: WorkerWorldOptions;
  readonly #certificate: EndpointCertificate;
  readonly #workers = new Set<ChildProcess>();
  readonly log: string[] = [];
  #endpoint: WorkerEndpoint | undefined;
  #port = 0;

  private constructor(options: WorkerWorldOptions, certificate: EndpointCertificate) {
    this.#options = options;
    this.#certificate = certificate;
    const { sourceUrl, account = {} } = options;
    const path = sourceUrl.split('/').at(-1) ?? '';
    this.desk = new FakeTransferDesk(TRANSFER, {
      source: options.isDirect ? { ova: { url: sourceUrl } } : { relay: { path, location: sourceUrl } },
      disk: { id: '100', index: 0 },
      volume: { uid: 'claim-uid', name: 'team/web-disk-0' },
      verify: 'readback',
      ...options.assignment,
    });
    this.desk.makeRelay = () => createOvaRelay({ location: sourceUrl, ...account, clock: systemClock });
  }

  static async start(options: WorkerWorldOptions): Promise<WorkerWorld> {
    const certificate = await createCertificate({ names: ['localhost', '127.0.0.1'], now: Date.now() });
    writeFileSync(join(options.folder, 'ca.crt'), certificate.caPem);
    writeFileSync(join(options.folder, 'token'), TOKEN);
    const world = new WorkerWorld(options, certificate);
    await world.openEndpoint();
    return world;
  }

  /** Comes up at the port it had. */
  async openEndpoint(): Promise<void> {
    const say = (level: string) => (message: string, fields?: object) =>
      void this.log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
    const log: Log = { info: say('info'), warn: say('warn'), error: say('error') };
    this.#endpoint = await WorkerEndpoint.start({
      desk: this.desk,
      ...fakeReviews({
        [TOKEN]: {},
        'token-of-the-next': { podUid: 'uid-2' },
        'token-of-another-pod': { podUid: 'uid-9' },
      }),
      certificate: this.#certificate,
      clock: systemClock,
      log,
      host: '127.0.0.1',
      port: this.#port,
    });
    this.#port = this.#endpoint.port;
  }

  async closeEndpoint(): Promise<void> {
    await this.#endpoint?.[Symbol.asyncDispose]();
    this.#endpoint = undefined;
  }

  get port(): number {
    return this.#port;
  }

  get endpointUrl(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  startWorker(env: Readonly<Record<string, string>> = {}, options: { readonly uid?: number } = {}): RunningWorker {
    const { folder, volumePath } = this.#options;
    const child = spawn(
      process.execPath,
      // As bin/airlift.js starts it.
      [...NODE_FLAGS, this.#options.script ?? join(ROOT, 'src/main/transfer-worker.ts')],
      {
        cwd: folder,
        env: {
          PATH: process.env.PATH,
          AIRLIFT_ENDPOINT: this.endpointUrl,
          AIRLIFT_ENDPOINT_CA: join(folder, 'ca.crt'),
          AIRLIFT_TRANSFER: TRANSFER,
          AIRLIFT_EPOCH: String(this.desk.epoch),
          AIRLIFT_TOKEN_FILE: join(folder, 'token'),
          AIRLIFT_VOLUME: volumePath,
          // Tests wait for checkpoints.
          AIRLIFT_CHECKPOINT_SECONDS: '2',
          ...env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...options,
      },
    );
    this.#workers.add(child);
    return new RunningWorker(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#workers) child.kill('SIGKILL');
    await this.closeEndpoint();
  }
}

export class RunningWorker {
  readonly process: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  output = '';

  constructor(child: ChildProcess) {
    this.process = child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Highest resident memory so far, in bytes. */
  get peakBytes(): number {
    const text = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  }
}

/** A wire that can be cut: what goes in at its port comes out at another one. */
export class Wire implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        near.destroy();
        return;
      }
      const far = connect(target, '127.0.0.1');
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far).pipe(near);
    });
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port);
    await once(wire.#server.listen(0, '127.0.0.1'), 'listening');
    return wire;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Looks every few milliseconds. @throws Error when it never becomes so */
export async function until(what: string, isSo: () => boolean, maxMs = 60_000): Promise<void> {
  for (const end = performance.now() + maxMs; !isSo(); ) {
    if (performance.now() > end) throw new Error(`not within ${maxMs} ms: ${what}`);
    await delay(10);
  }
}
