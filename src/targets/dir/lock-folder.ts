import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ProblemError } from '../../domain/problems.ts';
import { errorCode, onStorage } from './storage-problem.ts';

const LOCK_NAME = 'lock';
/** A takeover can lose to another one; more rounds than this means that processes come and go without end. */
const MAX_ROUNDS = 20;

interface Holder {
  readonly pid: number;
  /** When the process began, in clock ticks since boot, so that a process id used again is not taken for the holder. Empty where the system does not tell. */
  readonly started: string;
  readonly host: string;
}

/**
 * Holds a folder by a lock file that names its holder. Created by link(2), so that it exists with its content or not at all. A lock whose holder is gone is moved aside by
 * rename, which only one of several processes can do, and looked at again before it counts as removed.
 * @throws ProblemError `TargetBusy`
 */
export async function lockFolder(path: string): Promise<AsyncDisposable> {
  const lock = join(path, LOCK_NAME);
  const own: Holder = { pid: process.pid, started: await startOf(process.pid), host: hostname() };
  const candidate = join(path, `${LOCK_NAME}.${randomUUID()}`);
  await onStorage('lock', path, 'write', () => writeFile(candidate, JSON.stringify(own), { flag: 'wx' }));
  try {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      if (await tryLink(candidate, lock)) return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) };
      await clearStale(path, lock);
    }
  } finally {
    await rm(candidate, { force: true });
  }
  throw new ProblemError('TargetBusy', `${path} is being claimed by several processes at once`);
}

async function tryLink(candidate: string, lock: string): Promise<boolean> {
  try {
    await link(candidate, lock);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    return onStorage('lock', lock, 'write', () => Promise.reject(error));
  }
}

/** Removes the lock of a holder that is gone. @throws ProblemError `TargetBusy` when it lives */
async function clearStale(path: string, lock: string): Promise<void> {
  const seen = await readHolder(lock);
  if (seen === undefined) return;
  await refuseIfAlive(path, seen.holder);
  const aside = `${lock}.${randomUUID()}`;
  try {
    await rename(lock, aside);
  } catch (error) {
    // Another process was faster; the next round sees what it made.
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  const moved = await readHolder(aside);
  // Between looking and moving, another process may have taken over: then its lock goes back to its place.
  if (moved !== undefined && moved.text !== seen.text) await tryLink(aside, lock);
  await rm(aside, { force: true });
}

async function refuseIfAlive(path: string, holder: Holder | undefined): Promise<void> {
  if (holder === undefined) return;
  const isElsewhere = holder.host !== hostname();
  const isAlive = isElsewhere || (isRunning(holder.pid) && (await startOf(holder.pid)) === holder.started);
  if (!isAlive) return;
  const place = isElsewhere
    ? `on ${holder.host} (remove ${join(path, LOCK_NAME)} when that process is gone)`
    : 'on this machine';
  throw new ProblemError('TargetBusy', `process ${holder.pid} ${place} is working in ${path}`, {
    context: { pid: holder.pid, host: holder.host },
  });
}

/** A lock that cannot be understood has no living holder: it is written whole or not at all. */
async function readHolder(
  lock: string,
): Promise<{ readonly text: string; readonly holder: Holder | undefined } | undefined> {
  try {
    const text = await readFile(lock, 'utf8');
    return { text, holder: parseHolder(text) };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, started, host } = JSON.parse(text) as Partial<Holder>;
    return Number.isInteger(pid) && typeof started === 'string' && typeof host === 'string'
      ? { pid: Number(pid), started, host }
      : undefined;
  } catch {
    // Not ours; see readHolder.
    return undefined;
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
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    // No /proc, or no such process; the process id alone must do.
    return '';
  }
}
