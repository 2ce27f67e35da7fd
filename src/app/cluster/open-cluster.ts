import type { Duplex } from 'node:stream';
import type { Finding } from '../../domain/finding.ts';
import type { ObjectRef } from '../../domain/kubernetes-object.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Cluster } from '../../ports/cluster.ts';

/** A cluster as a command line or page holds it: opened as somebody, used, disposed. */
export interface OpenCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  /** Where objects are meant to be when nothing else says so. */
  readonly namespace: string;
  /** Which cluster this is, for messages: `context prod of /home/me/.kube/config`. */
  readonly origin: string;
  /** What the user should know about this connection. */
  readonly remarks: readonly Finding[];
  /**
   * The lines that a Pod has printed, and with `follow` those it goes on to print until it ends.
   * @throws ProblemError as `Cluster` does; `ClusterObjectInvalid` for a Pod that has not begun
   */
  readPodLog(pod: ObjectRef, options?: PodLogOptions): AsyncIterable<string>;
  /**
   * A connection to a port of a Pod, as from inside it.
   * @throws ProblemError `ClusterForbidden`, `ClusterUnreachable`
   */
  forwardPort(pod: ObjectRef, port: number, options?: CallOptions): Promise<Duplex>;
}

export interface PodLogOptions extends CallOptions {
  readonly follow?: boolean;
}

/** Where to look: one namespace, or all of them. */
export interface ClusterScope {
  readonly namespace?: string | undefined;
}
