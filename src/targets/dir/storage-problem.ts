import { type ProblemCode, ProblemError } from '../../domain/problems.ts';

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

/** Runs one operation on the file system and gives its failure the code of a problem. */
export async function onStorage<T>(
  what: string,
  path: string,
  kind: 'read' | 'write',
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (cause) {
    const code = errorCode(cause);
    if (code === undefined) throw cause;
    throw new ProblemError(
      CODES[code] ?? (kind === 'read' ? 'TargetReadFailed' : 'TargetWriteFailed'),
      `cannot ${what} ${path}: ${code}`,
      {
        cause,
        context: { path, errno: code },
      },
    );
  }
}

/** The errno name of a system error; undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
