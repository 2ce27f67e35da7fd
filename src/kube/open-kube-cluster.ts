import type { Clock } from '../ports/clock.ts';
import type { ApiAccess } from './api-access.ts';
import { ApiConnection, type ApiConnectionOptions } from './api-connection.ts';
import { KubeCluster } from './kube-cluster.ts';

export interface OpenKubeClusterOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Names the program in requests and owns the fields it writes; `airlift` unless told. */
  readonly manager?: string | undefined;
  readonly onAnswer?: ApiConnectionOptions['onAnswer'];
}

/** Nothing is asked of the cluster by opening it. Disposing it ends what is under way. */
export function openKubeCluster(
  access: ApiAccess,
  { clock, random, manager = 'airlift', onAnswer }: OpenKubeClusterOptions,
): KubeCluster {
  return new KubeCluster(new ApiConnection(access, { clock, userAgent: manager, onAnswer }), { random, manager });
}
