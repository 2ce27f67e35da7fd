import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';
import type { Log } from '../ports/log.ts';
import type { SourceAdapter } from '../ports/source-adapter.ts';
import type { ControllerMetrics } from './metrics.ts';

/** What a controller is made of. */
export interface ControllerParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
  readonly adapters: readonly SourceAdapter[];
  readonly airliftVersion: string;
}
