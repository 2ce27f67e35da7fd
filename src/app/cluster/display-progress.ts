import type { DiskPhase } from '../../api/import-progress.ts';
import type { DiskProgress, ImportProgress as StoredProgress } from '../../api/virtual-machine-import.ts';
import type { DiskDisplay, ImportProgress } from '../import-progress.ts';

const PHASES: Readonly<Record<DiskPhase, DiskDisplay['phase']>> = {
  Pending: 'waiting',
  Queued: 'waiting',
  Starting: 'waiting',
  Transferring: 'copy',
  Verifying: 'verify',
  Retrying: 'waiting',
  Stopping: 'waiting',
  Stalled: 'waiting',
  Failed: 'waiting',
  Done: 'done',
};

/** What the controller tells of an import, for the display of any import; undefined before it knows the disks. */
export function displayProgress(progress: StoredProgress | undefined): ImportProgress | undefined {
  const { disks = [], doneBytes = 0, totalBytes, bytesPerSecond, etaSeconds } = progress ?? {};
  if (disks.length === 0) return undefined;
  // The controller tells one speed for all disks: of one that copies alone it is its own.
  const moving = disks.filter(({ phase }) => phase === 'Transferring');
  const overall = { doneBytes, totalBytes, bytesPerSecond, etaMs: etaSeconds && etaSeconds * 1000 };
  return {
    disks: disks.map((disk) => {
      const isAlone = moving.length === 1 && moving[0] === disk;
      return displayDisk(disk, isAlone ? overall : { bytesPerSecond: undefined, etaMs: undefined });
    }),
    overall,
  };
}

function displayDisk(
  { index, name, id, phase = 'Pending', doneBytes = 0, totalBytes, dataBytes }: DiskProgress,
  { bytesPerSecond, etaMs }: Pick<DiskDisplay, 'bytesPerSecond' | 'etaMs'>,
): DiskDisplay {
  const total = totalBytes ?? dataBytes;
  return {
    index,
    name: name ?? id ?? `disk ${index}`,
    phase: PHASES[phase],
    doneBytes,
    totalBytes: total,
    bytesPerSecond,
    etaMs,
  };
}
