import { stat } from 'node:fs/promises';
import { ProblemError } from '../domain/problems.ts';
import { openBlockVolume } from '../targets/block-pvc/block-volume.ts';
import { FolderVolume } from '../targets/block-pvc/folder-volume.ts';
import type { Volume } from '../targets/block-pvc/volume.ts';
import { nodeStorage } from '../targets/dir/node-storage.ts';

/**
 * What a claim gives this Pod: a folder where it has a file system, else a block device.
 * @throws ProblemError `VolumeNotWritable`, `TargetBusy`
 */
export async function openVolume(path: string): Promise<Volume> {
  if (!(await isFolder(path))) return await openBlockVolume(path);
  const problem = await nodeStorage.findWriteProblem(path);
  if (problem !== undefined) throw new ProblemError('VolumeNotWritable', problem);
  return new FolderVolume(nodeStorage.openFolder(path));
}

export async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false, // opening it as a device will tell what is wrong
  );
}
