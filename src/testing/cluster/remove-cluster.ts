import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { lockFile } from '../go/build-go.ts';
import { isAlive, listClusterFolders, readClusterRecord } from './cluster-folder.ts';
import { killClusterProcesses } from './cluster-process.ts';
import { removeClusterCgroup } from './node/cluster-cgroup.ts';
import { removeClusterLinks } from './node/cluster-network.ts';
import { detachLoopDevices } from './node/local-volume.ts';

/**
 * Ends everything that belongs to the cluster in this folder, then removes the folder. What belongs to it is found by the folder's path alone, so it works as well after a crash midway, for a
 * cluster that another process started, and twice at once.
 */
export async function removeCluster(folder: string): Promise<void> {
  const lock = `${folder}.lock`;
  {
    await using _lock = await lockFile(lock);
    await killClusterProcesses(folder);
    // The rest is what only a node leaves, and only root can have made.
    if (process.getuid?.() === 0) {
      await removeClusterCgroup(folder);
      await removeClusterLinks(folder);
      await detachLoopDevices(folder);
    }
    await rm(folder, { recursive: true, force: true });
  }
  await rm(lock, { force: true });
}

/** Removes the clusters whose owner ended without doing so, and says which. One that cannot be removed is told of and keeps no other from being removed. */
export async function removeAbandonedClusters(): Promise<string[]> {
  const removed: string[] = [];
  for (const folder of await listClusterFolders()) {
    const record = await readClusterRecord(folder);
    if (record?.owner === undefined || isAlive(record.owner) || !existsSync(folder)) continue;
    try {
      await removeCluster(folder);
      removed.push(folder);
    } catch (error) {
      console.warn(`cannot remove the cluster in ${folder}:`, error);
    }
  }
  return removed;
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder !== undefined) await removeCluster(folder);
}
