import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ClusterUser, TestCluster } from '../../src/testing/cluster/start-cluster.ts';
import { NODE_FLAGS, ROOT } from '../support.ts';

export interface ControllerOptions {
  readonly cluster: TestCluster;
  /** As whom it asks the API; see createControllerAccount. */
  readonly user: ClusterUser;
  /** Of the workers it starts. */
  readonly image: string;
  /** That of one before: workers go on talking to it. */
  readonly port?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** The controller on the host, which Pods reach at the host's address. */
export class ControllerProcess {
  output = '';
  readonly port: number;
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(process: ChildProcess, port: number, url: string) {
    this.#process = process;
    this.port = port;
    this.url = url;
    for (const stream of [process.stdout, process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    this.#ended = new Promise((resolve) => process.on('close', resolve));
  }

  static async start({ cluster, user, image, port: wanted, env = {} }: ControllerOptions): Promise<ControllerProcess> {
    const port = wanted ?? (await freePort(cluster.hostAddress));
    const url = `https://${cluster.hostAddress}:${port}`;
    const child = spawn(process.execPath, [...NODE_FLAGS, join(ROOT, 'src/main/controller.ts')], {
      env: {
        ...process.env,
        KUBECONFIG: user.kubeconfigPath,
        AIRLIFT_NAMESPACE: 'airlift-system',
        AIRLIFT_POD: 'controller-0',
        AIRLIFT_IMAGE: image,
        AIRLIFT_ENDPOINT_HOST: cluster.hostAddress,
        AIRLIFT_ENDPOINT_PORT: String(port),
        AIRLIFT_ENDPOINT_URL: url,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new ControllerProcess(child, port, url);
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
