import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where tests keep what takes minutes to make: outside the work tree, so that a fresh clone finds it again. */
export function cacheFolder(...names: readonly string[]): string {
  return join(process.env.AIRLIFT_CACHE ?? join(homedir(), '.cache', 'airlift'), ...names);
}
