import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClusterProcess } from '../cluster-process.ts';
import { runProgram } from '../run-program.ts';
import type { NodeNetwork } from './cluster-network.ts';

export interface NodeMachineOptions {
  /** The cluster's. */
  readonly folder: string;
  readonly name: string;
  readonly network: NodeNetwork;
  readonly bridge: string;
}

/**
 * A "machine" made of Linux namespaces: processes, mounts, network, host name. Whatever is started in it ends, and whatever is mounted in it is unmounted, by the kernel itself when its first
 * process ends, as with a power cut; nothing is left to tidy up.
 */
export interface NodeMachine {
  /** On this machine: holds everything the node keeps over a power cut. */
  readonly folder: string;
  /** Runs a program in it to its end. */
  run(program: string, args: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** Starts a program in it that stays. */
  start(program: string, args: readonly string[]): Promise<MachineProcess>;
  powerOff(): Promise<void>;
}

export interface MachineProcess {
  readonly process: ClusterProcess;
  /** The program itself; `process` only waits for it. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/**
 * What the kubelet would otherwise write into the kernel of the whole machine: it finds these values there already.
 */
const KERNEL_SETTINGS: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

export async function startNodeMachine(options: NodeMachineOptions): Promise<NodeMachine> {
  const { folder: cluster, name, network, bridge } = options;
  const folder = join(cluster, name);
  await rm(join(folder, 'run'), { recursive: true, force: true }); // does not survive a power cut
  for (const own of ['logs', 'run', 'var-log', 'var-lib', 'var-lib-work']) {
    await mkdir(join(folder, own), { recursive: true });
  }
  const binds: [string, string][] = [
    [join(folder, 'run'), '/run'],
    [join(folder, 'var-log'), '/var/log'],
  ];
  for (const [setting, value] of Object.entries(KERNEL_SETTINGS)) {
    if (!existsSync(join('/proc/sys', setting))) continue;
    const file = join(folder, setting.replaceAll('/', '.'));
    await writeFile(file, `${value}\n`);
    binds.push([file, join('/proc/sys', setting)]);
  }
  const script = [
    'set -e',
    ...binds.map(([own, place]) => `mount --bind '${own}' '${place}'`),
    // What is there already shows through; what is written lands in the node's folder.
    `mount -t overlay -o 'lowerdir=/var/lib,upperdir=${folder}/var-lib,workdir=${folder}/var-lib-work' node /var/lib`,
    `hostname '${name}'`,
    'ip link set lo up',
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'echo ready',
    // As the first process of its namespace it inherits orphans, which `wait` buries.
    "trap 'exit 0' TERM",
    'while :; do sleep 3600 & wait $!; done',
  ].join('\n');
  const logPath = join(folder, 'logs', 'machine.log');
  const boots = existsSync(logPath) ? readFileSync(logPath, 'utf8').split('ready\n').length : 1;
  const shell = await ClusterProcess.start({
    program: 'unshare',
    args: [
      ...['--fork', '--kill-child=SIGKILL', '--pid', '--mount', '--propagation=private', '--mount-proc'],
      ...['--net', '--uts', '--ipc', 'sh', '-c', script],
    ],
    folder: cluster,
    logPath,
  });
  await shell.waitUntil('ready', async () => readFileSync(logPath, 'utf8').split('ready\n').length > boots);
  const init = childOf(shell.pid);
  await connect(network, bridge, init);

  const enter = ['--target', String(init), '--mount', '--net', '--uts', '--ipc', '--pid', '--wd=/', '--'];
  return {
    folder,
    run: (program, args, options) => runProgram('nsenter', [...enter, program, ...args], options),
    async start(program, args) {
      const waiting = await ClusterProcess.start({
        program: 'nsenter',
        args: [...enter, program, ...args],
        folder: cluster,
        logPath: join(folder, 'logs', `${program.split('/').at(-1)}.log`),
      });
      return {
        process: waiting,
        async kill(signal) {
          if (!waiting.isRunning) return;
          process.kill(childOf(waiting.pid), signal);
          await waiting.ended;
        },
      };
    },
    async powerOff() {
      process.kill(init, 'SIGKILL');
      await shell.ended; // The kernel lets it end only after every process of the namespace is gone.
      await runProgram('ip', ['link', 'delete', network.link]).catch((error: Error) => {
        if (!error.message.includes('Cannot find device')) throw error;
      });
    },
  };
}

async function connect(
  { link, address, podCidr, otherPods }: NodeNetwork,
  bridge: string,
  init: number,
): Promise<void> {
  await runProgram('ip', [
    ...['link', 'add', 'name', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(init)],
  ]);
  await runProgram('ip', ['link', 'set', link, 'master', bridge, 'up']);
  const inside = ['--target', String(init), '--net', '--', 'ip'];
  await runProgram('nsenter', [...inside, 'address', 'add', `${address}/24`, 'dev', 'eth0']);
  await runProgram('nsenter', [...inside, 'link', 'set', 'eth0', 'up']);
  const routes = otherPods.map((other) => `route add ${other.podCidr} via ${other.address} dev eth0\n`);
  await runProgram('nsenter', [...inside, '-batch', '-'], { input: routes.join('') });
  await runProgram('ip', ['route', 'replace', podCidr, 'via', address, 'dev', bridge]);
}

/** unshare and nsenter only wait for the process in the namespace, their one child. */
function childOf(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  if (!child) throw new Error(`process ${pid} has no child`);
  return Number(child);
}
