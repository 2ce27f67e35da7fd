import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** Watches over a cluster until it is released. */
export interface Guardian {
  /** The cluster has been removed, or shall outlive this process. */
  release(): Promise<void>;
}

/**
 * Removes the cluster in this folder when this process ends without having done so, also by SIGKILL: a shell waits for our end of a pipe to close, which costs next to nothing, and only
 * then becomes the program that cleans up.
 */
export function startGuardian(folder: string): Guardian {
  const remove = join(import.meta.dirname, 'remove-cluster.ts');
  const shell = spawn(
    'sh',
    ['-c', 'read -r word; [ "$word" = released ] || exec "$@"', 'sh', process.execPath, remove, folder],
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  const ended = new Promise<void>((resolve, reject) => shell.once('close', () => resolve()).once('error', reject));
  shell.unref();
  shell.stdin.on('error', () => undefined); // It is gone already: killed by whoever kills everything.
  // An open pipe would keep a process alive that has nothing else to do.
  (shell.stdin as { unref?: () => void }).unref?.();
  return {
    async release() {
      shell.ref();
      shell.stdin.end('released\n');
      await ended;
    },
  };
}
