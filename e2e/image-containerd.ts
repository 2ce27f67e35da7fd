import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface Containerd {
  /** Standard output of `ctr` in the namespace that Kubernetes uses. @throws with what it said on standard error */
  ctr(...args: string[]): string;
  stop(): Promise<void>;
}

/**
 * What dies with us, however we end: the first process of a namespace takes with it every process and mount in there.
 */
const TIED_TO_US = [
  '--pdeathsig',
  'SIGKILL',
  'unshare',
  '--fork',
  '--kill-child=SIGKILL',
  '--pid',
  '--mount-proc',
  '--mount',
  '--propagation=private',
];

/** A containerd of our own below `folder`, apart from one that the machine may have. */
export async function startContainerd(folder: string): Promise<Containerd> {
  mkdirSync(folder, { recursive: true });
  const socket = join(folder, 'containerd.sock');
  const config = join(folder, 'config.toml');
  writeFileSync(
    config,
    [
      'version = 2',
      `root = "${join(folder, 'root')}"`,
      `state = "${join(folder, 'state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      '[grpc]',
      `  address = "${socket}"`,
      '[ttrpc]',
      `  address = "${socket}.ttrpc"`,
      '',
    ].join('\n'),
  );
  const daemon = spawn('setpriv', [...TIED_TO_US, 'containerd', '--config', config], { stdio: 'ignore' });
  const ended = once(daemon, 'exit');
  const ctr = (...args: string[]) =>
    execFileSync('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
  for (let attempt = 0; ; attempt++) {
    try {
      ctr('version');
      break;
    } catch (error) {
      if (attempt === 50) {
        daemon.kill('SIGKILL');
        throw error;
      }
      await delay(200);
    }
  }
  return {
    ctr,
    stop: async () => {
      daemon.kill('SIGKILL');
      await ended;
    },
  };
}
