import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ClusterUser, TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { NODE_FLAGS, ROOT } from '../support.ts';
import { eventually } from './eventually.ts';

export interface ControllerOptions {
  readonly cluster: TestCluster;
  /** As whom it asks the API; see createControllerAccount. */
  readonly user: ClusterUser;
  /** Of the workers it starts. */
  readonly image: string;
  /** That of one before: workers go on talking to it. */
  readonly port?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** What is started; the one in src/ unless told. */
  readonly script?: string | undefined;
}

interface Place {
  readonly port: number;
  readonly url: string;
  readonly healthUrl: string;
}

/** The controller on the host, which Pods reach at the host's address. */
export class ControllerProcess {
  output = '';
  readonly port: number;
  readonly url: string;
  /** Of `/healthz`, `/readyz` and `/metrics`. */
  readonly healthUrl: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(process: ChildProcess, { port, url, healthUrl }: Place) {
    this.#process = process;
    this.port = port;
    this.url = url;
    this.healthUrl = healthUrl;
    for (const stream of [process.stdout, process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.#ended = new Promise((resolve) => process.on('close', resolve));
  }

  static async start({
    cluster,
    user,
    image,
    port: wanted,
    env = {},
    script = join(ROOT, 'src/main/controller.ts'),
  }: ControllerOptions): Promise<ControllerProcess> {
    const port = wanted ?? (await freePort(cluster.hostAddress));
    const healthPort = await freePort(cluster.hostAddress);
    const url = `https://${cluster.hostAddress}:${port}`;
    const child = spawn(process.execPath, [...NODE_FLAGS, script], {
      env: {
        ...process.env,
        KUBECONFIG: user.kubeconfigPath,
        AIRLIFT_NAMESPACE: 'airlift-system',
        AIRLIFT_POD: 'controller-0',
        AIRLIFT_IMAGE: image,
        AIRLIFT_ENDPOINT_HOST: cluster.hostAddress,
        AIRLIFT_ENDPOINT_PORT: String(port),
        AIRLIFT_ENDPOINT_URL: url,
        AIRLIFT_HEALTH_PORT: String(healthPort),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const healthUrl = `http://${cluster.hostAddress}:${healthPort}`;
    return new ControllerProcess(child, { port, url, healthUrl });
  }

  /** Status and text; status 0 while nobody answers. */
  async askHealth(path: string): Promise<{ readonly status: number; readonly text: string }> {
    try {
      const answer = await fetch(`${this.healthUrl}${path}`);
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      if (this.hasEnded) throw error;
      return { status: 0, text: String(error) };
    }
  }

  /** Of one figure, summed over the labels that are not named. */
  async readMetric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { text } = await this.askHealth('/metrics');
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => wanted.every((each) => line.includes(each)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Asks again and again. @throws Error with the end of what it printed when it is not so in time */
  async until(isSo: () => Promise<boolean>, mostMs = 40_000): Promise<void> {
    await eventually(isSo, () => this.output.slice(-4000), { mostMs });
  }

  async untilReady(mostMs = 30_000): Promise<void> {
    await this.until(async () => (await this.askHealth('/readyz')).status === 200, mostMs);
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#process.kill(signal);
    await this.#ended;
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
