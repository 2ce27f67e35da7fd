import { existsSync, rmSync, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { timeCommand } from './measure.ts';
import type { Bench } from './row.ts';

export interface StagedFile extends Disposable {
  readonly path: string;
}

/**
 * A copy in memory, so that reading it costs the processor only; removed when disposed.
 * @throws Error when memory has no room for it and for `outputBytes`
 */
export async function stageInMemory(bench: Bench, path: string, outputBytes: number): Promise<StagedFile> {
  requireRoom(bench.memoryFolder, statSync(path).blocks * 512 + outputBytes);
  const staged = join(bench.memoryFolder, basename(path));
  await timeCommand('cp', ['--sparse=always', path, staged]);
  return { path: staged, [Symbol.dispose]: () => rmSync(staged) };
}

/** What is measured on a disk says nothing about the processor: no room is a failure, never a reason to go elsewhere. @throws Error */
export function requireRoom(folder: string, bytes: number): void {
  const existing = existsSync(folder) ? folder : dirname(folder);
  const { bavail, bsize } = statfsSync(existing);
  if (bavail * bsize >= bytes) return;
  throw new Error(`${existing} has ${tell(bavail * bsize)} free and this row needs ${tell(bytes)}`);
}

function tell(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
