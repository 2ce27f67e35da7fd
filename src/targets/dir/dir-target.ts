import { dirname, join, resolve } from 'node:path';
import type { Finding } from '../../domain/finding.ts';
import { ProblemError } from '../../domain/problems.ts';
import { formatBytes } from '../../lib/format-units.ts';
import type { Storage } from '../../ports/storage.ts';
import type { MachineTarget, Target, TargetNeed } from '../../ports/target.ts';
import { DirMachine } from './dir-machine.ts';
import { nodeStorage } from './node-storage.ts';
import { removePartial } from './remove-partial.ts';
import { openWriteProbe } from './write-probe.ts';

export interface DirTargetOptions {
  readonly folder: string;
  readonly format: 'qcow2' | 'raw';
  /** Only for qcow2. */
  readonly compression?: 'none' | 'zstd';
  readonly storage?: Storage;
}

/** Room for tables, checkpoints and documents on top of the data. */
const MARGIN_BYTES = 16 * 1024 * 1024;
const MARGIN_SHARE = 0.01;

/**
 * A folder that receives one folder per machine.
 *
 * ```text
 *   <folder>/<machine>.partial/lock, disk-0.state, disk-0.journal     what only the transfer needs
 *   <folder>/<machine>.partial/machine/disk-0.qcow2, ...              what will be the result
 *   <folder>/<machine>/                                               the result: `machine/` moved here in one step
 * ```
 * The move is the moment of completion: before it everything can be continued, after it a leftover `.partial` is only rubbish, which the next run removes.
 */
export async function openDirTarget(options: DirTargetOptions): Promise<Target> {
  const { format, compression = 'none', storage = nodeStorage } = options;
  const folder = resolve(options.folder);
  const finalPath = (name: string) => join(folder, name);

  return {
    kind: 'dir',
    location: `dir:${folder}?format=${format}${compression === 'none' ? '' : `&compression=${compression}`}`,
    diskFormat: format,

    async *preflight(need) {
      const problem = await storage.findWriteProblem(folder);
      if (problem !== undefined) {
        // What cannot be written may not be readable either, and another folder is needed anyway.
        yield { severity: 'blocker', code: 'TargetNotWritable', message: problem };
        return;
      }
      const path = finalPath(need.machineName);
      if (await storage.exists(path))
        yield { severity: 'blocker', code: 'TargetExists', message: `${path} exists already` };
      else yield* findSpaceProblems(storage, folder, finalPath(`${need.machineName}.partial`), need);
    },

    async openMachine(name, { restart = false } = {}): Promise<MachineTarget> {
      // `<name>.partial` as a name would be the place where `<name>` is being made.
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || name.endsWith('.partial'))
        throw new ProblemError('TargetNotWritable', `"${name}" cannot be the name of a folder`);
      const place = { final: finalPath(name), partial: finalPath(`${name}.partial`) };
      const firstMade = await storage.makeFolder(place.partial);
      const lock = await storage.lockFolder(place.partial);
      try {
        if (await storage.exists(place.final)) {
          await removePartial(storage, place.partial, lock);
          throw new ProblemError('TargetExists', `${place.final} exists already`, { context: { path: place.final } });
        }
        const machine = new DirMachine({ storage, place, format, compression, lock, firstMade });
        await machine.prepare(restart);
        return machine;
      } catch (error) {
        await lock[Symbol.asyncDispose]();
        throw error;
      }
    },

    openProbe: (probe) => openWriteProbe(storage, folder, probe),

    [Symbol.asyncDispose]: async () => {},
  };
}

async function* findSpaceProblems(
  storage: Storage,
  folder: string,
  partial: string,
  need: TargetNeed,
): AsyncGenerator<Finding, void> {
  const free = await storage.freeBytes(folder);
  const held = await heldBytes(storage, partial);
  const has = `${await nearestExisting(storage, folder)} has ${formatBytes(free)} free${held === 0 ? '' : ` besides the ${formatBytes(held)} that an earlier run wrote`}`;
  if (need.dataBytes === undefined) {
    if (free + held >= need.virtualSizeBytes + (need.promisedBytes ?? 0)) return;
    const message = `${has}; the disks may take up to ${formatBytes(need.virtualSizeBytes)}`;
    yield { severity: 'warning', code: 'TargetSpaceUncertain', message };
    return;
  }
  const { promisedBytes = 0 } = need;
  const needed = Math.ceil(need.dataBytes * (1 + MARGIN_SHARE)) + MARGIN_BYTES;
  if (free + held >= needed + promisedBytes) return;
  const others = promisedBytes === 0 ? '' : `, and the machines before it ${formatBytes(promisedBytes)}`;
  yield {
    severity: 'blocker',
    code: 'TargetFull',
    message: `${has}; the import needs ${formatBytes(needed)}${others}`,
  };
}

async function nearestExisting(storage: Storage, path: string): Promise<string> {
  let folder = path;
  while (!(await storage.exists(folder)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** What an interrupted run already wrote, which the rest does not need again. */
async function heldBytes(storage: Storage, partial: string): Promise<number> {
  const path = join(partial, 'machine');
  if (!(await storage.exists(path))) return 0;
  const folder = storage.openFolder(path);
  let held = 0;
  for (const name of await folder.listFiles()) {
    await using file = await folder.openFile(name);
    held += (await file?.allocatedBytes()) ?? 0;
  }
  return held;
}
