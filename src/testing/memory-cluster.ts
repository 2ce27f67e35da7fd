import type { ResourceKind } from '../domain/kubernetes-object.ts';
import type { Clock } from '../ports/clock.ts';
import { CallGate, type CallMatcher, type ClusterWrite, type FailureOptions } from './memory-cluster/call-gate.ts';
import { MemoryConnection } from './memory-cluster/memory-connection.ts';
import { MemoryServer } from './memory-cluster/memory-server.ts';
import { coreKinds, type ServedKind } from './memory-cluster/served-kind.ts';
import { seededRandom } from './random.ts';

export interface MemoryClusterOptions {
  readonly clock: Clock;
  /** Besides Kubernetes' own (`coreKinds`). */
  readonly kinds?: readonly ServedKind[];
  /** For uids and generated names; seeded unless given. */
  readonly random?: () => number;
}

/**
 * A Kubernetes API in memory, with its rules and without anything that runs on a cluster: no controllers but the garbage collector, no quota, no access rights, and namespaces need
 * not exist. The cluster itself is the connection of a client named `test`; processes under test get connections of their own, which can be told apart and cut.
 *
 * Watches retry after a second of the clock; garbage is collected soon after the change that makes it, before any delay is over.
 */
export class MemoryCluster extends MemoryConnection {
  constructor({ clock, kinds = [], random = seededRandom(1) }: MemoryClusterOptions) {
    const server = new MemoryServer([...coreKinds, ...kinds], { clock, random });
    super('test', { server, gate: new CallGate(), clock, cuts: 0 });
  }

  /** @param client the name that writes are told by, and that their fields belong to */
  connect(client: string): MemoryConnection {
    return new MemoryConnection(client, this.shared);
  }

  /** Lets the next calls that fit fail with this error. Watches meet it when they connect. */
  failNext(matcher: CallMatcher, error: Error, options?: FailureOptions): void {
    this.shared.gate.failNext(matcher, error, options);
  }

  /**
   * Calls the listener after each write of any connection, and before the writer learns of it. What the listener throws is what the writer gets, though the write stands: the place to
   * kill a process at (`connection.close()`). The garbage collector's writes are not told. Returns what ends it.
   */
  onWrite(listener: (write: ClusterWrite) => void): () => void {
    return this.shared.gate.onWrite(listener);
  }

  /** Cuts the connections of all watches. They come back by themselves. */
  disconnectWatches(): void {
    this.shared.cuts += 1;
    this.shared.server.wakeWatches();
  }

  /** Forgets all versions but the current ones, so that watches which are not up to date have to look at everything again. */
  compact(): void {
    this.shared.server.compact();
  }

  collectGarbage(): void {
    this.shared.server.collectGarbage();
  }

  install(served: ServedKind): void {
    this.shared.server.install(served);
  }

  /** The kind is unknown from now on, as after the removal of its CRD. Its objects are there again when it is installed again. */
  uninstall(kind: ResourceKind): void {
    this.shared.server.uninstall(kind);
    this.disconnectWatches();
  }
}
