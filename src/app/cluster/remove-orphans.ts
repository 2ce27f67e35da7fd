import { isProblem, type ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';
import type { Orphan } from './find-orphans.ts';

/** How the removal of one went; `changed` when by now another object has its name. */
export type Removal =
  | { readonly orphan: Orphan; readonly result: 'removed' | 'changed' }
  | { readonly orphan: Orphan; readonly result: 'failed'; readonly problem: ProblemError };

/** Removes them one by one, each only if it is still the object that was found; tells of each. */
export async function* removeOrphans(
  cluster: Cluster,
  orphans: readonly Orphan[],
  options: CallOptions = {},
): AsyncGenerator<Removal, void> {
  for (const orphan of orphans) {
    try {
      await cluster.delete(orphan.kind, orphan, { ...options, uid: orphan.uid });
      yield { orphan, result: 'removed' };
    } catch (error) {
      if (!isProblem(error)) throw error;
      yield error.code === 'ClusterConflict'
        ? { orphan, result: 'changed' }
        : { orphan, result: 'failed', problem: error };
    }
  }
}
