import { join } from 'node:path';
import type { Storage } from '../../ports/storage.ts';
import { LOCK_NAME } from './lock-folder.ts';

/**
 * Removes all that was made for a transfer, and releases it. Checkpoints go first and durably, so that none outlives what it speaks of; the lock goes last, so that
 * another process that waits for it never finds its new files removed.
 */
export async function removePartial(storage: Storage, path: string, lock: AsyncDisposable): Promise<void> {
  await emptyPartial(storage, path);
  await lock[Symbol.asyncDispose]();
  await storage.removeFolderIfEmpty(path);
}

/** The same without giving the place up. */
export async function emptyPartial(storage: Storage, path: string): Promise<void> {
  const folder = storage.openFolder(path);
  const names = (await folder.listFiles()).filter((name) => name !== LOCK_NAME);
  const states = names.filter((name) => name.endsWith('.state'));
  for (const name of states) await folder.removeFile(name);
  if (states.length > 0) await folder.sync();
  for (const name of names) if (!states.includes(name)) await storage.removeFolder(join(path, name));
}
