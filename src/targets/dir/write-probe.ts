import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onStorage } from '../../formats/storage-problem.ts';
import { libc } from '../../lib/libc.ts';
import type { OpenProbeOptions, TargetProbe } from '../../ports/measure.ts';
import type { Storage, StorageFile, StorageFolder } from '../../ports/storage.ts';

/** Read from the storage ahead of what is asked for, as systems do by themselves, so that each read finds a part in memory; asked for again it would all be there. */
const WHOLE_FILE = 0;

/**
 * Opens a file to measure by, in the folder or, where that is not there yet, in the nearest one above it. It has no name from the moment it is open, so that nothing is left however this
 * process ends.
 * @returns undefined when the folder cannot be written or has too little free space
 */
export async function openWriteProbe(
  storage: Storage,
  path: string,
  { maxBytes, keepFreeBytes, signal }: OpenProbeOptions,
): Promise<TargetProbe | undefined> {
  signal?.throwIfAborted();
  const place = await nearestExisting(storage, path);
  if ((await storage.findWriteProblem(place)) !== undefined) return undefined;
  if ((await storage.freeBytes(place)) < maxBytes + keepFreeBytes) return undefined;
  const folder = storage.openFolder(place);
  const name = `.airlift-probe-${randomUUID()}`;
  const file = await folder.openFile(name, { create: true });
  try {
    const uncached = await openUncached(file);
    return new WriteProbe(file, uncached);
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  } finally {
    await folder.removeFile(name);
  }
}

async function nearestExisting(storage: Storage, path: string): Promise<string> {
  let folder = path;
  while (!(await storage.exists(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
