import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { errorCode, onStorage } from '../../formats/storage-problem.ts';

/** The process a lock file names. */
export interface Holder {
  readonly pid: number;
  /** When the process began, in clock ticks since boot, so that a process id used again is not taken for the holder. Empty where the system does not tell. */
  readonly started: string;
  readonly host: string;
  /** Boot of the machine and namespace of the process ids: containers on one host can share its name and yet not see each other's processes. Empty where unknown. */
  readonly boot: string;
  readonly pidNamespace: string;
}

/** `elsewhere`: this process cannot see whether it lives. */
export type HolderState = 'alive' | 'gone' | 'elsewhere';

export async function describeSelf(): Promise<Holder> {
  return {
    pid: process.pid,
    started: await startOf(process.pid),
    host: hostname(),
    boot: (await readWhere(() => readFile('/proc/sys/kernel/random/boot_id', 'utf8'))).trim(),
    pidNamespace: await readWhere(() => readlink('/proc/self/ns/pid')),
  };
}

export async function stateOf(holder: Holder, self: Holder): Promise<HolderState> {
  if (holder.host !== self.host) return 'elsewhere';
  if (holder.boot !== self.boot) return 'gone';
  if (holder.pidNamespace !== self.pidNamespace) return 'elsewhere';
  return isRunning(holder.pid) && (await startOf(holder.pid)) === holder.started ? 'alive' : 'gone';
}

/**
 * Undefined when there is no such lock; `holder` undefined when it names nobody. A lock is created whole, so that such a one is what a power cut left of it, and its holder is gone.
 */
export async function readHolder(lock: string): Promise<{ readonly holder: Holder | undefined } | undefined> {
  try {
    return { holder: parseHolder(await readFile(lock, 'utf8')) };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    return onStorage('read', lock, 'read', () => Promise.reject(error));
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, host, boot, pidNamespace } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (!(Number.isSafeInteger(pid) && Number(pid) > 0)) return undefined;
    if (typeof started !== 'string' || typeof host !== 'string') return undefined;
    if (typeof boot !== 'string' || typeof pidNamespace !== 'string') return undefined;
    return { pid: Number(pid), started, host, boot, pidNamespace };
  } catch {
    return undefined; // See readHolder.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, as somebody else.
    return errorCode(error) === 'EPERM';
  }
}

/** Field 22 of /proc/<pid>/stat (proc(5)); counted after the command name, which may hold spaces and parentheses. */
async function startOf(pid: number): Promise<string> {
  const stat = await readWhere(() => readFile(`/proc/${pid}/stat`, 'utf8'));
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Empty where there is no /proc, or no such process; the process id alone must do. */
async function readWhere(read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return '';
  }
}
