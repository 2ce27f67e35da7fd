// Installs what `npm run test:system` needs beyond npm: the judges (QEMU), the tools of the tests, and the test cluster. Needs root where something is missing.
import { execFileSync, spawnSync } from 'node:child_process';
import { loadLibdeflate } from '../src/lib/libdeflate.ts';
import { prepareCluster } from '../src/testing/cluster/prepare-cluster.ts';
import { ensureGo } from '../src/testing/go/go-toolchain.ts';

interface SystemTool {
  readonly program: string;
  /** Of Debian. */
  readonly package: string;
  readonly purpose: string;
}

const TOOLS: readonly SystemTool[] = [
  { program: 'qemu-img', package: 'qemu-utils', purpose: 'judges disk images' },
  { program: 'qemu-io', package: 'qemu-utils', purpose: 'writes disk images in odd orders' },
  { program: 'qemu-system-x86_64', package: 'qemu-system-x86', purpose: 'boots the sample appliance' },
  { program: 'openssl', package: 'openssl', purpose: 'makes certificates and signatures' },
  { program: 'tar', package: 'tar', purpose: 'writes archives as others do' },
  { program: 'mount', package: 'mount', purpose: 'makes full and read-only targets' },
  { program: 'losetup', package: 'mount', purpose: 'makes block devices to write to' },
  { program: 'mkfs.ext4', package: 'e2fsprogs', purpose: 'makes file systems that run full' },
  { program: 'tmux', package: 'tmux', purpose: 'is the terminal that progress is drawn on' },
  // The test cluster, src/testing/cluster/.
  { program: 'etcd', package: 'etcd-server', purpose: 'stores the objects of a test cluster' },
  { program: 'containerd', package: 'containerd', purpose: 'runs the containers of a test node' },
  { program: 'runc', package: 'runc', purpose: 'starts the containers of a test node' },
  { program: '/usr/lib/cni/ptp', package: 'containernetworking-plugins', purpose: "makes a Pod's network" },
  { program: 'iptables', package: 'iptables', purpose: 'leads the Pods of a test node to Services' },
  { program: 'ip', package: 'iproute2', purpose: 'connects a test node' },
  { program: 'busybox', package: 'busybox-static', purpose: "is all there is in a test node's own images" },
  { program: 'flock', package: 'util-linux', purpose: 'builds what takes minutes only once' },
  // The container image, e2e/image.test.ts; containerd and runc run it.
  { program: 'skopeo', package: 'skopeo', purpose: 'reads and copies our image as others do' },
  { program: 'umoci', package: 'umoci', purpose: 'unpacks our image for runc' },
  { program: 'file', package: 'file', purpose: 'tells which processor an executable is for' },
];

/** Inflates twice as fast as zlib; what is written for it is tested with it. */
const LIBDEFLATE_PACKAGE = 'libdeflate0';

export async function prepareSystem(): Promise<void> {
  // No package of Debian is new enough, so Go comes from its own module proxy where it is missing.
  await ensureGo();
  const missing = TOOLS.filter(({ program }) => !isInstalled(program));
  const packages = [...new Set(missing.map((tool) => tool.package))];
  if (loadLibdeflate() === undefined) packages.push(LIBDEFLATE_PACKAGE);
  if (missing.length === 0 && packages.length === 0) return;
  if (packages.length > 0) {
    console.log(`installing ${packages.join(', ')}`);
    if (process.getuid?.() !== 0) throw new Error(`install these packages as root first: ${packages.join(' ')}`);
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages]);
  }
  const still = TOOLS.filter(({ program }) => !isInstalled(program));
  if (loadLibdeflate() === undefined) throw new Error(`${LIBDEFLATE_PACKAGE} was installed and cannot be loaded`);
  if (still.length === 0) return;
  throw new Error(`missing: ${still.map(({ program, purpose }) => `${program} (it ${purpose})`).join(', ')}`);
}

function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program], { stdio: 'ignore' }).status === 0;
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

if (import.meta.main) {
  await prepareSystem();
  await prepareCluster();
}
