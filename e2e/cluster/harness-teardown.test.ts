// What a cluster leaves on the machine: nothing, whether it is disposed of, its owner is killed, or even its guardian is.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { canStartNode } from '../../src/testing/cluster/can-start-cluster.ts';
import { clusterMark } from '../../src/testing/cluster/cluster-folder.ts';
import { BUSYBOX_IMAGE } from '../../src/testing/cluster/images/test-images.ts';
import { removeAbandonedClusters } from '../../src/testing/cluster/remove-cluster.ts';
import { startCluster } from '../../src/testing/cluster/start-cluster.ts';
import { ROOT } from '../support.ts';

/** Of these tests alone, so that clusters of others on this machine do not count. */
const CLUSTERS = mkdtempSync(join(tmpdir(), 'airlift-teardown-'));
process.env.AIRLIFT_CLUSTERS = CLUSTERS;
const MARKS = ['teardown', 'broken'].map((name) => clusterMark(join(CLUSTERS, name)));

/** A Pod that runs with a volume of each mode in use: what is hardest to tidy up. */
const OCCUPY = `
  const { startCluster } = await import(${JSON.stringify(join(ROOT, 'src/testing/cluster/start-cluster.ts'))});
  const cluster = await startCluster({ name: 'teardown', node: true });
  const volumes = [];
  for (const volumeMode of ['Block', 'Filesystem']) {
    const name = volumeMode.toLowerCase();
    await cluster.node.createVolume({ name, sizeBytes: 32 * 1024 * 1024, volumeMode });
    const spec = {
      storageClassName: 'local-wait', volumeMode, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } },
    };
    volumes.push({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: 'default' }, spec });
  }
  const container = {
    name: 'main', image: '${BUSYBOX_IMAGE}', args: ['-c', 'sleep 1000 & exec tail -f /dev/disk0'],
    volumeDevices: [{ name: 'block', devicePath: '/dev/disk0' }],
    volumeMounts: [{ name: 'filesystem', mountPath: '/data' }],
  };
  const pod = {
    apiVersion: 'v1', kind: 'Pod', metadata: { name: 'busy', namespace: 'default' },
    spec: {
      containers: [container],
      volumes: ['block', 'filesystem'].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    },
  };
  await cluster.apply([...volumes, pod]);
  await cluster.kubectl(['wait', 'pod/busy', '--for=condition=Ready', '--timeout=60s']);
`;
const TELL_AND_WAIT = `
  console.log(JSON.stringify({ folder: cluster.folder }));
  setInterval(() => undefined, 1000);
`;

describe.skipIf(!canStartNode())('what a test cluster leaves behind', () => {
  afterAll(() => rmSync(CLUSTERS, { recursive: true }));

  test('nothing after it is disposed of, with a Pod running and volumes in use', async () => {
    const before = inventory();
    await run(`${OCCUPY} await cluster[Symbol.asyncDispose]();`);
    expect(inventory()).toEqual(before);
  });

  test('nothing after its owner got SIGKILL', async () => {
    const before = inventory();
    const { folder, kill } = await startOwner(OCCUPY + TELL_AND_WAIT);
    const during = inventory();
    for (const part of ['cgroups', 'links', 'loopDevices', 'processes'] as const) {
      expect(during[part].length, part).toBeGreaterThan(before[part].length);
    }
    kill();
    await waitUntilGone(folder);
    expect(inventory()).toEqual(before);
  });

  test('what is left when its guardian was killed too is removed by the next one', async () => {
    const before = inventory();
    const { folder, kill, pid } = await startOwner(OCCUPY + TELL_AND_WAIT);
    for (const child of childrenOf(pid)) if (commandOf(child).startsWith('sh -c read')) process.kill(child, 'SIGKILL');
    kill();
    await delay(1000);
    expect(existsSync(folder)).toBe(true);
    expect(await removeAbandonedClusters()).toEqual([folder]);
    expect(inventory()).toEqual(before);
  });

  test('nothing when starting fails midway, and the reason is told', async () => {
    const before = inventory();
    // No machine takes such a name.
    await expect(startCluster({ name: 'broken', node: { name: 'Not_A_Name' } })).rejects.toThrow(/hostname is invalid/);
    expect(inventory()).toEqual(before);
  });
});

/** Asked of the machine with other means than the harness uses. Everything of these clusters has its folder or its mark in it. */
function inventory() {
  const lines = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8' }).split('\n');
  const isOurs = (text: string) => [CLUSTERS, ...MARKS].some((each) => text.includes(each));
  const processes = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid);
  return {
    processes: processes.map((pid) => commandOf(Number(pid))).filter(isOurs),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(isOurs),
    links: lines('ip', '-brief', 'link').filter(isOurs),
    routes: lines('ip', 'route', 'show', 'table', 'all').filter(isOurs),
    cgroups: globSync(['/sys/fs/cgroup/*/airlift-*', '/sys/fs/cgroup/airlift-*']).filter(isOurs),
    loopDevices: lines('losetup', '--list', '--noheadings', '--raw').filter(isOurs),
    namespaces: lines('lsns', '--noheadings', '--output', 'NS,COMMAND').filter(isOurs),
    clusters: readdirSync(CLUSTERS).filter((name) => name !== 'network.lock'),
    // What these programs have built in, and the node must keep from the machine.
    foreignFolders: globSync([
      '/var/lib/cni/*',
      '/var/lib/kubelet/*',
      '/run/netns/*',
      '/run/containerd/*',
      '/var/log/pods/*',
    ]),
  };
}

function script(code: string): string[] {
  return ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code];
}

function run(code: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, script(code), { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('close', (status) => (status === 0 ? resolve() : reject(new Error(`it ended with ${status}`))));
  });
}

/** A process of its own that holds a cluster, once that is up. */
function startOwner(code: string): Promise<{ readonly folder: string; readonly pid: number; kill(): void }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, script(code), { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    child.once('close', (status) => reject(new Error(`it ended with ${status}`)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (!text.includes('"folder"')) return;
      const { folder } = JSON.parse(text) as { readonly folder: string };
      resolve({ folder, pid: child.pid ?? 0, kill: () => child.kill('SIGKILL') });
    });
  });
}

async function waitUntilGone(folder: string): Promise<void> {
  const until = performance.now() + 60_000;
  while (existsSync(folder)) {
    if (performance.now() > until) throw new Error(`${folder} is still there after a minute`);
    await delay(200);
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // it ended meanwhile
  }
}
