import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const folders = new Set<string>();
const children = new Set<ChildProcess>();

// Also after Ctrl-C: the handlers of run.ts end the process by `process.exit`.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  // Retried: a child that was just killed may still be in the middle of making a file.
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** A folder that does not outlive this process. */
export function makeTemporaryFolder(parent: string): string {
  const folder = mkdtempSync(join(parent, 'airlift-bench-'));
  folders.add(folder);
  return folder;
}

/** A process that does not outlive this one. */
export function endWithUs(child: ChildProcess): void {
  children.add(child);
  child.once('exit', () => children.delete(child));
}
