import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Paths of all files below a folder, relative to `root`; links are not followed and not listed. */
export async function filesBelow(root: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
}
