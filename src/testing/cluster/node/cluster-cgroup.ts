import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { clusterMark } from '../cluster-folder.ts';

const ROOT = '/sys/fs/cgroup';

/** The cgroup below which the kubelets of a cluster put their Pods, as a path within each hierarchy. */
export function clusterCgroup(folder: string): string {
  return `/airlift-${clusterMark(folder)}`;
}

/** The kubelet refuses to start below a cgroup that does not exist. */
export async function createClusterCgroup(folder: string): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const path = join(hierarchy, clusterCgroup(folder));
    await mkdir(path, { recursive: true });
    // Of version 1 only: without it no process may enter the cgroups below, as they have neither CPUs nor memory nodes.
    const cloneChildren = join(path, 'cgroup.clone_children');
    if (!existsSync(join(path, 'cpuset.cpus')) || !existsSync(cloneChildren)) continue;
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      await writeFile(join(path, file), await readFile(join(hierarchy, file)));
    }
    await writeFile(cloneChildren, '1');
  }
}

/** Ends what still runs in there, then removes it. Nothing of a node's containers outlives the node itself, so this waits for the kernel rather than for them. */
export async function removeClusterCgroup(folder: string): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const path = join(hierarchy, clusterCgroup(folder));
    const until = performance.now() + 20_000;
    while (existsSync(path)) {
      try {
        await removeTree(path);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if ((code !== 'EBUSY' && code !== 'ENOENT') || performance.now() > until) throw error;
        await delay(100);
      }
    }
  }
}

/** One of version 2, or each controller's own of version 1. */
async function hierarchies(): Promise<string[]> {
  if (existsSync(join(ROOT, 'cgroup.controllers'))) return [ROOT];
  const entries = await readdir(ROOT, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(ROOT, name));
}

/** Cgroups are removed from the inside out, and only as folders: their files are the kernel's. */
async function removeTree(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(path, entry.name));
  }
  await rmdir(path);
}
