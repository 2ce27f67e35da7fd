import { type Lease, leaseKind } from '../api/core-kinds.ts';
import type { ObjectRef } from '../domain/kubernetes-object.ts';
import { isProblem } from '../domain/problems.ts';
import type { CallOptions } from '../lib/call-options.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cluster } from '../ports/cluster.ts';

export interface LeaseLockOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly lease: ObjectRef & { readonly namespace: string };
  readonly identity: string;
  readonly leaseDurationMs: number;
}

/** `mine`: just written. `others`: somebody else's, and it counts. `contested`: somebody wrote at the same moment, or an answer was lost; the next look shows who. */
export type LeaseTry = { readonly state: 'mine' | 'contested' } | { readonly state: 'others'; readonly holder: string };

/**
 * A Lease as a lock. Times of other machines are never compared: somebody else's counts until it did not change here for its duration, by this machine's monotonic clock.
 */
export class LeaseLock {
  readonly #options: LeaseLockOptions;
  /** The last version seen, and since when. */
  #seen: { readonly version: string | undefined; readonly sinceMs: number } | undefined;
  /** As we last wrote it, as long as nobody is known to have written after us: renewing is one request then. */
  #mine: Lease | undefined;

  constructor(options: LeaseLockOptions) {
    this.#options = options;
  }

  /** Takes the lease if nobody has it, or whoever has it did not renew it in time. */
  async take(options: CallOptions): Promise<LeaseTry> {
    const { clock, identity, leaseDurationMs } = this.#options;
    const found = await this.#find(options);
    const version = found?.metadata.resourceVersion;
    if (this.#seen?.version !== version) this.#seen = { version, sinceMs: clock.monotonicMs() };
    const { holderIdentity = '', leaseDurationSeconds = leaseDurationMs / 1_000 } = found?.spec ?? {};
    const idleMs = clock.monotonicMs() - (this.#seen?.sinceMs ?? 0);
    const counts = holderIdentity !== '' && holderIdentity !== identity && idleMs < leaseDurationSeconds * 1_000;
    return counts ? { state: 'others', holder: holderIdentity } : await this.#write(found, options);
  }

  /** Renews a lease that is held. One that anybody else had in between, even if it is free again, is not taken back: they may have led. */
  async renew(options: CallOptions): Promise<LeaseTry> {
    if (this.#mine !== undefined) {
      const renewed = await this.#write(this.#mine, options);
      if (renewed.state === 'mine') return renewed;
    }
    const found = await this.#find(options);
    const { holderIdentity = '' } = found?.spec ?? {};
    if (found !== undefined && holderIdentity !== this.#options.identity)
      return { state: 'others', holder: holderIdentity };
    return await this.#write(found, options);
  }

  /** So that the next one need not wait. Nothing happens when somebody else has it. */
  async release(options: CallOptions): Promise<void> {
    const found = await this.#find(options);
    if (found?.spec?.holderIdentity !== this.#options.identity) return;
    const spec = { ...found.spec, holderIdentity: '', leaseDurationSeconds: 1 };
    await this.#options.cluster.replace(leaseKind, { ...found, spec }, options);
  }

  async #find(options: CallOptions): Promise<Lease | undefined> {
    return await this.#options.cluster.get(leaseKind, this.#options.lease, options);
  }

  async #write(found: Lease | undefined, options: CallOptions): Promise<LeaseTry> {
    const { cluster, clock } = this.#options;
    const wanted = this.#make(found);
    try {
      const write = found === undefined ? cluster.create : cluster.replace;
      this.#mine = undefined;
      const written = await write.call(cluster, leaseKind, wanted, options);
      this.#mine = written;
      this.#seen = { version: written.metadata.resourceVersion, sinceMs: clock.monotonicMs() };
      return { state: 'mine' };
    } catch (error) {
      if (isProblem(error, 'ClusterConflict', 'ClusterObjectExists', 'ClusterObjectMissing'))
        return { state: 'contested' };
      throw error;
    }
  }

  #make(found: Lease | undefined): Lease {
    const { identity, lease, leaseDurationMs, clock } = this.#options;
    // The API takes exactly six digits.
    const now = new Date(clock.now()).toISOString().replace('Z', '000Z');
    const { holderIdentity, acquireTime = now, leaseTransitions = 0 } = found?.spec ?? {};
    const isMine = holderIdentity === identity;
    return {
      apiVersion: leaseKind.apiVersion,
      kind: leaseKind.kind,
      metadata: found?.metadata ?? lease,
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000),
        acquireTime: isMine ? acquireTime : now,
        renewTime: now,
        leaseTransitions: isMine || found === undefined ? leaseTransitions : leaseTransitions + 1,
      },
    };
  }
}
