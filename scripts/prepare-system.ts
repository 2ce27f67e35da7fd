// Installs what `npm run test:system` needs beyond npm: the judges (QEMU) and the tools of the tests. Needs root where something is missing.
import { execFileSync, spawnSync } from 'node:child_process';
import { loadLibdeflate } from '../src/lib/libdeflate.ts';

interface SystemTool {
  readonly program: string;
  /** Debian package; absent where there is none new enough. */
  readonly package?: string;
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
  {
    program: 'go',
    purpose: "builds KubeVirt's own judgement of a VirtualMachine, and fetches OVF descriptors of public projects",
  },
  // The container image, e2e/image.test.ts; containerd and runc run it.
  { program: 'skopeo', package: 'skopeo', purpose: 'reads and copies our image as others do' },
  { program: 'umoci', package: 'umoci', purpose: 'unpacks our image for runc' },
  { program: 'file', package: 'file', purpose: 'tells which processor an executable is for' },
];

/** Inflates twice as fast as zlib; what is written for it is tested with it. */
const LIBDEFLATE_PACKAGE = 'libdeflate0';

export function prepareSystem(): void {
  const missing = TOOLS.filter(({ program }) => !isInstalled(program));
  const packages = [...new Set(missing.flatMap((tool) => tool.package ?? []))];
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

if (import.meta.main) prepareSystem();
