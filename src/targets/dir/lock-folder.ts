import { randomUUID } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError } from '../../domain/problems.ts';
import { errorCode, onStorage } from '../../formats/storage-problem.ts';
import { describeSelf, type Holder, readHolder, stateOf } from './lock-holder.ts';

/** The lock's file in the folder it holds; whoever empties the folder removes this one last. */
export const LOCK_NAME = 'lock';
/** A lock can be released and taken again while we look; more rounds than this means that processes come and go without end. */
const MAX_ROUNDS = 20;
/** Each level is a process that died within the few calls of a takeover. */
const MAX_GUARDS = 3;

/**
 * Holds a folder by a lock file that names its holder, made by link(2): it exists with its content or not at all. A lock whose holder is gone is removed by whoever holds a
 * guard, which is a lock of the same kind beside it:
 * ```text
 *   lock is stale -> take lock.guard -> look at lock again -> still stale: remove it -> release lock.guard -> try lock
 * ```
 * Looking and removing are then one step to all others. Without the guard a process that looked early would remove the lock of one that took over in between.
 * @throws ProblemError `TargetBusy`
 */
export async function lockFolder(path: string): Promise<AsyncDisposable> {
  const claim = { path, self: await describeSelf(), candidate: join(path, `${LOCK_NAME}.${randomUUID()}`) };
  const lock = join(path, LOCK_NAME);
  try {
    await onVanishing(path, () => writeFile(claim.candidate, JSON.stringify(claim.self), { flag: 'wx' }));
    await take(claim, lock, 0);
  } finally {
    // Whatever hinders this has hindered the claim before, and that is the answer to give.
    await rm(claim.candidate, { force: true }).catch(() => {});
  }
  let isHeld = true;
  return {
    async [Symbol.asyncDispose]() {
      // A second time, the lock may be somebody else's.
      if (isHeld) await remove(lock);
      isHeld = false;
    },
  };
}

interface Claim {
  readonly path: string;
  readonly self: Holder;
  /** A file that says who claims. */
  readonly candidate: string;
}

async function take(claim: Claim, lock: string, guards: number): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (await tryLink(claim, lock)) return;
    if (await isStale(claim, lock)) await removeStale(claim, lock, guards);
  }
  throw new ProblemError('TargetBusy', `${claim.path} is being claimed by several processes at once`);
}

async function removeStale(claim: Claim, lock: string, guards: number): Promise<void> {
  const guard = `${lock}.guard`;
  if (guards === MAX_GUARDS) throw new ProblemError('TargetBusy', `${claim.path} has ${guards} stale locks`);
  await take(claim, guard, guards + 1);
  try {
    if (await isStale(claim, lock)) await remove(lock);
  } finally {
    await remove(guard);
  }
}

async function tryLink(claim: Claim, lock: string): Promise<boolean> {
  try {
    await onVanishing(claim.path, () => link(claim.candidate, lock));
    return true;
  } catch (error) {
    if (error instanceof ProblemError && errorCode(error.cause) === 'EEXIST') return false;
    throw error;
  }
}

/** True when the lock's holder is gone; false when there is no lock any more. @throws ProblemError `TargetBusy` when somebody else has it */
async function isStale({ path, self }: Claim, lock: string): Promise<boolean> {
  const seen = await readHolder(lock);
  if (seen === undefined) return false;
  const { holder } = seen;
  const state = holder === undefined ? 'gone' : await stateOf(holder, self);
  if (holder === undefined || state === 'gone') return true;
  const where = state === 'alive' ? '' : `, which cannot be seen from here; remove ${lock} if it has ended,`;
  throw new ProblemError('TargetBusy', `process ${holder.pid} on ${holder.host}${where} is working in ${path}`, {
    context: { path, pid: holder.pid, host: holder.host },
  });
}

/** The process that had the folder may remove it at the very moment. */
async function onVanishing(path: string, operation: () => Promise<void>): Promise<void> {
  await onStorage('lock', path, 'write', async () => {
    try {
      await operation();
    } catch (cause) {
      if (errorCode(cause) !== 'ENOENT') throw cause;
      throw new ProblemError('TargetBusy', `${path} is just being removed by another process`, { cause });
    }
  });
}

async function remove(lock: string): Promise<void> {
  await onStorage('remove', lock, 'write', () => rm(lock, { force: true }));
}
