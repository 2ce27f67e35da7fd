import { describe, expect, test } from 'vitest';
import { leaseKind } from '../api/core-kinds.ts';
import { ProblemError } from '../domain/problems.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { MemoryCluster } from '../testing/memory-cluster.ts';
import { type Leadership, type LeadershipChange, leadWhileElected } from './leader-election.ts';

const lease = { namespace: 'system', name: 'controller' };
const unreachable = () => new ProblemError('ClusterUnreachable', 'cut');

/** A machine whose wall clock is wrong by hours. */
class SkewedClock extends ManualClock {
  readonly #clock: ManualClock;
  constructor(clock: ManualClock) {
    super();
    this.#clock = clock;
  }
  override now(): number {
    return this.#clock.now() + 5 * 3_600_000;
  }
  override monotonicMs(): number {
    return this.#clock.monotonicMs() + 123_456;
  }
  override async delay(...args: Parameters<ManualClock['delay']>): Promise<void> {
    await this.#clock.delay(...args);
  }
}

function open() {
  const clock = new ManualClock();
  const cluster = new MemoryCluster({ clock });
  const candidate = (identity: string, { by = clock, stopMs = 0 } = {}) => {
    const changes: string[] = [];
    const controller = new AbortController();
    const connection = cluster.connect(identity);
    let leadership: Leadership | undefined;
    let stoppedAtMs: number | undefined;
    const onChange = (change: LeadershipChange) =>
      changes.push(change.state === 'standby' ? `standby ${change.holder}` : change.state);
    const ended = leadWhileElected(
      { cluster: connection, clock: by, random: () => 0, lease, identity, onChange },
      async (given) => {
        leadership = given;
        await new Promise<void>((resolve) => given.signal.addEventListener('abort', () => resolve(), { once: true }));
        stoppedAtMs = clock.ms;
        if (stopMs > 0) await clock.delay(stopMs);
        return 'done';
      },
      { signal: controller.signal },
    );
    const outcome = ended.then(
      (result) => result,
      (error) => error.code ?? error.message,
    );
    return {
      changes,
      outcome,
      connection,
      stop: () => controller.abort(new Error('shut down')),
      isLeading: () => leadership !== undefined && !leadership.signal.aborted,
      isHeld: () => leadership?.isHeld() === true,
      reason: () => leadership?.signal.reason,
      stoppedAtMs: () => stoppedAtMs,
    };
  };
  const stored = async () => await cluster.get(leaseKind, lease);
  return { clock, cluster, candidate, stored };
}

describe('leadWhileElected', () => {
  test('the first one leads at once, and keeps the lease by renewing it', async () => {
    const { clock, candidate, stored } = open();
    const one = candidate('one');
    await settle();
    expect(one.isLeading()).toBe(true);
    expect((await stored())?.spec).toMatchObject({
      holderIdentity: 'one',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      renewTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    });
    const first = (await stored())?.spec;
    await clock.advance(60_000);
    expect(one.isLeading() && one.isHeld()).toBe(true);
    const later = (await stored())?.spec;
    expect(later?.acquireTime).toBe(first?.acquireTime);
    expect(Date.parse(later?.renewTime ?? '') - Date.parse(first?.renewTime ?? '')).toBe(60_000);
    one.stop();
    expect(await one.outcome).toBe('done');
  });

  test('a second one stands by, and leads soon after the first has ended', async () => {
    const { clock, candidate, stored } = open();
    const one = candidate('one');
    await settle();
    const two = candidate('two');
    await clock.advance(60_000);
    expect(two.changes).toEqual(['standby one']);
    one.stop();
    await settle();
    expect((await stored())?.spec?.holderIdentity).toBe('');
    await clock.advance(2_000);
    expect(two.isLeading()).toBe(true);
    expect((await stored())?.spec).toMatchObject({
      holderIdentity: 'two',
      leaseTransitions: 1,
      leaseDurationSeconds: 15,
    });
    expect(one.changes).toEqual(['leading', 'released']);
    two.stop();
    await two.outcome;
  });

  test('a leader that died is followed after the duration of its lease, not before', async () => {
    const { clock, candidate } = open();
    const one = candidate('one');
    await settle();
    const two = candidate('two');
    await clock.advance(3_000);
    one.connection.close();
    await clock.advance(14_900);
    expect(two.isLeading()).toBe(false);
    await clock.advance(4_200);
    expect(two.isLeading()).toBe(true);
    two.stop();
    await two.outcome;
  });

  test('who cannot renew stops leading before anybody else begins', async () => {
    const { clock, cluster, candidate } = open();
    const one = candidate('one');
    await settle();
    const two = candidate('two');
    await clock.advance(4_000); // just renewed
    const beganMs = clock.ms;
    cluster.failNext({ client: 'one' }, unreachable(), { times: 1_000 });
    await clock.advance(9_999);
    expect([one.isLeading(), two.isLeading()]).toEqual([true, false]);
    await clock.advance(2_000);
    expect([one.isLeading(), one.isHeld(), two.isLeading()]).toEqual([false, false, false]);
    expect((one.stoppedAtMs() ?? 0) - beganMs).toBeLessThanOrEqual(10_000);
    expect(one.reason()).toMatchObject({ code: 'LeadershipLost' });
    expect(await one.outcome).toBe('LeadershipLost');
    expect(one.changes.at(-1)).toBe('lost');
    await clock.advance(10_000);
    expect(two.isLeading()).toBe(true);
    two.stop();
    await two.outcome;
  });

  test('a renewal that never answers ends in time too', async () => {
    const { clock, cluster, candidate } = open();
    const one = candidate('one');
    await settle();
    const { connection } = one;
    const hang = async (_kind: unknown, _what: unknown, options?: { signal?: AbortSignal | undefined }) =>
      await new Promise<never>((_resolve, reject) =>
        options?.signal?.addEventListener('abort', () => reject(options.signal?.reason)),
      );
    Object.assign(connection, { get: hang, replace: hang });
    await clock.advance(10_000);
    expect(one.isLeading()).toBe(false);
    expect(await one.outcome).toBe('LeadershipLost');
    expect(cluster).toBeDefined();
  });

  test('while nobody else writes, renewing is one request', async () => {
    const { clock, cluster, candidate } = open();
    const one = candidate('one');
    await settle();
    const asked: string[] = [];
    const { get, replace } = one.connection;
    Object.assign(one.connection, {
      get: (...given: Parameters<typeof get>) => {
        asked.push('get');
        return get.apply(one.connection, given);
      },
      replace: (...given: Parameters<typeof replace>) => {
        asked.push('replace');
        return replace.apply(one.connection, given);
      },
    });
    await clock.advance(10_000);
    expect(new Set(asked)).toEqual(new Set(['replace']));
    // Somebody touches it: who has it is looked at before it is written again.
    asked.length = 0;
    await cluster.patch(leaseKind, lease, { metadata: { labels: { touched: 'yes' } } });
    await clock.advance(2_500);
    expect(asked.slice(0, 3)).toEqual(['replace', 'get', 'replace']);
    expect(one.isLeading()).toBe(true);
    one.stop();
    await one.outcome;
  });

  test('a few failed renewals do no harm', async () => {
    const { clock, cluster, candidate } = open();
    const one = candidate('one');
    await settle();
    for (let round = 0; round < 5; round += 1) {
      cluster.failNext({ client: 'one' }, unreachable(), { times: 3 });
      await clock.advance(10_000);
      expect(one.isLeading()).toBe(true);
    }
    expect(one.changes.filter((change) => change === 'failing').length).toBe(15);
    one.stop();
    await one.outcome;
  });

  test('a renewal whose answer is lost is a renewal', async () => {
    const { clock, cluster, candidate } = open();
    const one = candidate('one');
    await settle();
    cluster.failNext({ client: 'one', verb: 'replace' }, unreachable(), { when: 'after', times: 2 });
    await clock.advance(30_000);
    expect(one.isLeading()).toBe(true);
    one.stop();
    await one.outcome;
  });

  test('clocks that are hours apart change nothing', async () => {
    const { clock, candidate } = open();
    const one = candidate('one', { by: new SkewedClock(clock) });
    await settle();
    const two = candidate('two');
    await clock.advance(60_000);
    expect([one.isLeading(), two.isLeading()]).toEqual([true, false]);
    one.connection.close();
    await clock.advance(10_000);
    expect([one.isLeading(), two.isLeading()]).toEqual([false, false]);
    await clock.advance(10_000);
    expect(two.isLeading()).toBe(true);
    two.stop();
    await two.outcome;
  });

  test('who finds the lease with somebody else has lost it, even when it is free again', async () => {
    const { clock, cluster, candidate } = open();
    const one = candidate('one');
    await settle();
    await cluster.patch(leaseKind, lease, { spec: { holderIdentity: '' } });
    await clock.advance(2_000);
    expect(one.isLeading()).toBe(false);
    expect(await one.outcome).toBe('LeadershipLost');
    expect(one.reason().message).toContain('nobody holds it');
  });

  test('a lease that was deleted is made again', async () => {
    const { clock, cluster, candidate, stored } = open();
    const one = candidate('one');
    await settle();
    await cluster.delete(leaseKind, lease);
    await clock.advance(2_000);
    expect((await stored())?.spec?.holderIdentity).toBe('one');
    expect(one.isLeading()).toBe(true);
    one.stop();
    await one.outcome;
  });

  test('the lease is kept until whoever led has really stopped', async () => {
    const { clock, candidate } = open();
    const one = candidate('one', { stopMs: 60_000 });
    await settle();
    const two = candidate('two');
    one.stop();
    await clock.advance(59_000);
    expect([one.isLeading(), one.isHeld(), two.isLeading()]).toEqual([false, true, false]);
    await clock.advance(4_000);
    expect(two.isLeading()).toBe(true);
    two.stop();
    await two.outcome;
  });

  test('a process that stood still knows at once that its lease is over', async () => {
    const { clock, candidate } = open();
    const one = candidate('one');
    await settle();
    clock.ms += 11_000; // no timer fires
    expect(one.isHeld()).toBe(false);
    await clock.advance(0);
    await clock.advance(1);
    expect(one.isLeading()).toBe(false);
  });

  test('what the leader throws is thrown, and the lease is given back', async () => {
    const { clock, cluster, stored } = open();
    const options = { cluster, clock, random: () => 0, lease, identity: 'one' };
    const ended = leadWhileElected(options, async () => {
      throw new Error('a bug');
    });
    await expect(ended).rejects.toThrow('a bug');
    expect((await stored())?.spec?.holderIdentity).toBe('');
    expect(clock.waiting).toBe(0);
  });

  test('standing by ends with the reason of its signal and writes nothing', async () => {
    const { clock, candidate, stored } = open();
    const one = candidate('one');
    await settle();
    const two = candidate('two');
    await settle();
    const before = await stored();
    two.stop();
    expect(await two.outcome).toBe('shut down');
    expect(await stored()).toEqual(before);
    one.stop();
    await one.outcome;
    expect(clock.waiting).toBe(0);
  });

  test('many candidates never lead at the same time, whatever fails', async () => {
    const { clock, cluster, candidate } = open();
    const candidates = ['one', 'two', 'three'].map((identity) => candidate(identity));
    let changes = 0;
    let last: unknown;
    for (let round = 0; round < 200; round += 1) {
      await clock.advance(500);
      const leading = candidates.filter((each) => each.isLeading());
      expect(leading.length).toBeLessThanOrEqual(1);
      if (leading[0] !== undefined && leading[0] !== last) {
        last = leading[0];
        changes += 1;
      }
      if (round % 60 === 20) {
        const index = candidates.findIndex((each) => each.isLeading());
        cluster.failNext({ client: ['one', 'two', 'three'][index] ?? '' }, unreachable(), {
          times: 7,
          when: round % 40 === 0 ? 'after' : 'before',
        });
      }
    }
    expect(changes).toBeGreaterThan(1);
    for (const each of candidates) each.stop();
    await clock.advance(5_000);
    await Promise.all(candidates.map((each) => each.outcome));
  });

  test('times that do not fit together are refused', async () => {
    const { cluster, clock } = open();
    const options = {
      cluster,
      clock,
      random: () => 0,
      lease,
      identity: 'one',
      leaseDurationMs: 10_000,
      renewDeadlineMs: 10_000,
    };
    await expect(leadWhileElected(options, async () => {})).rejects.toThrow(RangeError);
  });
});
