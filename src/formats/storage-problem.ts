import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ProblemCode, ProblemError } from '../domain/problems.ts';
import { formatBytes } from '../lib/format-units.ts';

/** The system's error numbers (errno(3)) that mean something of their own for a target. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  ENOSPC: 'TargetFull',
  EDQUOT: 'TargetFull',
  EROFS: 'TargetNotWritable',
  EACCES: 'TargetNotWritable',
  EPERM: 'TargetNotWritable',
  ENOTDIR: 'TargetNotWritable',
  ENAMETOOLONG: 'TargetNotWritable',
  EEXIST: 'TargetExists',
  ENOTEMPTY: 'TargetExists',
};

type Kind = 'read' | 'write';

/** Runs one operation on the file system and gives its failure the code of a problem. */
export async function onStorage<T>(what: string, path: string, kind: Kind, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    throw problemOf(cause, what, path, kind);
  }
}

/** The same for one that blocks, as a lane's do. */
export function onStorageSync<T>(what: string, path: string, kind: Kind, operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw problemOf(cause, what, path, kind);
  }
}

/** The errno name of a system error; undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What is no error of the system stays as it is. */
function problemOf(cause: unknown, what: string, path: string, kind: Kind): unknown {
  const code = errorCode(cause);
  if (code === undefined) return cause;
  const problem = CODES[code] ?? (kind === 'read' ? 'TargetReadFailed' : 'TargetWriteFailed');
  const room = problem === 'TargetFull' ? describeRoom(path) : '';
  return new ProblemError(problem, `cannot ${what} ${path}: ${code}${room}`, { cause, context: { path, errno: code } });
}

/** EDQUOT leaves the file system's own number high; both together tell which limit was met. */
function describeRoom(path: string): string {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return ` (${formatBytes(bavail * bsize)} free there)`;
  } catch {
    return ''; // The number is an extra; the problem itself is known.
  }
}
