import { describe, expect, test } from 'vitest';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { type Requeue, WorkQueue, type WorkQueueOptions } from './work-queue.ts';

/** A queue whose work ends when the test says so. */
function harness(options: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock();
  const begun: string[] = [];
  const errors: { key: string; error: unknown; failures: number }[] = [];
  const underWay = new Map<string, PromiseWithResolvers<Requeue>>();
  const queue = new WorkQueue({
    async process(key) {
      begun.push(key);
      const work = Promise.withResolvers<Requeue>();
      underWay.set(key, work);
      return await work.promise;
    },
    concurrency: 2,
    clock,
    random: () => 0.999_999,
    onError: (key, error, failures) => errors.push({ key, error, failures }),
    ...options,
  });
  return {
    clock,
    queue,
    errors,
    /** The keys begun since the last look. */
    begun: () => begun.splice(0),
    async end(key: string, outcome?: Requeue | Error) {
      const work = underWay.get(key);
      underWay.delete(key);
      if (outcome instanceof Error) work?.reject(outcome);
      else work?.resolve(outcome);
      await settle();
    },
  };
}

describe('WorkQueue', () => {
  test('processes as many keys at once as allowed, in the order in which they came', async () => {
    const { queue, begun, end } = harness();
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    expect(begun()).toEqual(['a', 'b']);
    expect([queue.running, queue.depth]).toEqual([2, 2]);
    await end('b');
    expect(begun()).toEqual(['c']);
  });

  test('a key that waits is not queued again', async () => {
    const { queue, begun, end } = harness({ concurrency: 1 });
    for (const key of ['a', 'b', 'b', 'b', 'c']) queue.add(key);
    for (const key of ['a', 'b', 'c']) await end(key);
    expect(begun()).toEqual(['a', 'b', 'c']);
  });

  test('a key that changes while it is processed is processed once more, afterwards', async () => {
    const { queue, begun, end } = harness();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(begun()).toEqual(['a']);
    await end('a');
    expect(begun()).toEqual(['a']);
    await end('a');
    expect(begun()).toEqual([]);
  });

  test('a change while it is processed goes before the time it asked for', async () => {
    const { queue, begun, end, clock } = harness();
    queue.add('a');
    queue.add('a');
    await end('a', { afterMs: 60_000 });
    expect(begun()).toEqual(['a', 'a']);
    await end('a');
    await clock.advance(120_000);
    expect(begun()).toEqual([]);
  });

  test('looks again after the time that was asked for, and not before', async () => {
    const { queue, begun, end, clock } = harness();
    queue.add('a');
    await end('a', { afterMs: 5_000 });
    begun();
    await clock.advance(4_999);
    expect(begun()).toEqual([]);
    expect(queue.scheduled).toBe(1);
    await clock.advance(1);
    expect(begun()).toEqual(['a']);
    expect(queue.scheduled).toBe(0);
  });

  test('what fails is tried again after growing pauses, and starts from the shortest after a success', async () => {
    const { queue, begun, end, clock, errors } = harness({ backoff: { firstMs: 1_000, capMs: 4_000 } });
    queue.add('a');
    for (const pauseMs of [1_000, 2_000, 4_000, 4_000]) {
      await end('a', new Error('no'));
      begun();
      await clock.advance(pauseMs - 10);
      expect(begun()).toEqual([]);
      await clock.advance(10);
      expect(begun()).toEqual(['a']);
    }
    expect(errors.map(({ failures }) => failures)).toEqual([1, 2, 3, 4]);
    await end('a');
    queue.add('a');
    await end('a', 'backoff');
    begun();
    await clock.advance(1_000);
    expect(begun()).toEqual(['a']);
  });

  test('forgetting a key forgets its failures, its time and its place', async () => {
    const { queue, begun, end, clock } = harness({ concurrency: 1, backoff: { firstMs: 1_000, capMs: 8_000 } });
    queue.add('a');
    for (let failure = 0; failure < 3; failure += 1) {
      await end('a', 'backoff');
      await clock.advance(8_000);
    }
    await end('a', 'backoff');
    begun();
    queue.forget('a');
    await clock.advance(60_000);
    expect(begun()).toEqual([]);
    queue.add('a');
    queue.add('waits');
    queue.forget('waits');
    await end('a', 'backoff');
    expect(begun()).toEqual(['a']);
    await clock.advance(1_000);
    expect(begun()).toEqual(['a']);
  });

  test('a key that is due later is processed at once when it changes, and not a second time when it would be due', async () => {
    const { queue, begun, end, clock } = harness();
    queue.addAfter('a', 10_000);
    queue.add('a');
    expect(begun()).toEqual(['a']);
    await end('a');
    await clock.advance(20_000);
    expect(begun()).toEqual([]);
  });

  test('of several times for a key the earliest counts', async () => {
    const { queue, begun, end, clock } = harness();
    queue.addAfter('a', 10_000);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 5_000);
    await clock.advance(1_000);
    expect(begun()).toEqual(['a']);
    await end('a');
    await clock.advance(20_000);
    expect(begun()).toEqual([]);
  });

  test('a thousand keys that are due later wait on one timer', async () => {
    const { queue, clock } = harness();
    for (let index = 0; index < 1_000; index += 1) queue.addAfter(`k${index}`, 1_000 + ((index * 37) % 1_000));
    await settle();
    expect(clock.waiting).toBe(1);
    await clock.advance(2_000);
    expect(queue.running + queue.depth).toBe(1_000);
  });

  test('draining begins nothing more and returns when all that was begun has ended', async () => {
    const { queue, begun, end, clock } = harness();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.addAfter('d', 100);
    begun();
    let isDrained = false;
    const drained = Promise.all([queue.drain(), queue.drain()]).then(() => {
      isDrained = true;
    });
    await end('a', new Error('while draining'));
    queue.add('e');
    await clock.advance(1_000_000);
    expect([begun(), isDrained]).toEqual([[], false]);
    await end('b', { afterMs: 1 });
    await drained;
    expect(begun()).toEqual([]);
    expect(clock.waiting).toBe(0);
    await queue.drain();
  });

  test('tells how long keys waited for their turn, how long they took, and how they ended', async () => {
    const told: unknown[] = [];
    const { queue, end, clock } = harness({
      concurrency: 1,
      hooks: {
        began: (key, waitedMs) => told.push(['began', key, waitedMs]),
        ended: (key, tookMs, outcome) => told.push(['ended', key, tookMs, outcome]),
      },
    });
    queue.add('a');
    queue.add('b');
    await clock.advance(300);
    await end('a', { afterMs: 100_000 });
    await clock.advance(50);
    await end('b', new Error('no'));
    expect(told).toEqual([
      ['began', 'a', 0],
      ['ended', 'a', 300, 'later'],
      ['began', 'b', 300],
      ['ended', 'b', 50, 'error'],
    ]);
  });

  test('whatever happens, no key is processed twice at once and every change is followed by a look', async () => {
    const random = seededRandom(9);
    const clock = new ManualClock();
    const inside = new Set<string>();
    const changed = new Map<string, number>();
    const seen = new Map<string, number>();
    let most = 0;
    let overlaps = 0;
    const queue = new WorkQueue({
      async process(key) {
        if (inside.has(key)) overlaps += 1;
        inside.add(key);
        most = Math.max(most, inside.size);
        const version = changed.get(key) ?? 0;
        await clock.delay(randomBelow(random, 50));
        inside.delete(key);
        if (random() < 0.1) throw new Error('by chance');
        seen.set(key, version);
        return random() < 0.3 ? { afterMs: randomBelow(random, 100) } : undefined;
      },
      concurrency: 3,
      clock,
      random,
      backoff: { firstMs: 10, capMs: 100 },
      onError: () => {},
    });
    for (let step = 0; step < 1_000; step += 1) {
      const key = `k${randomBelow(random, 10)}`;
      changed.set(key, step);
      queue.add(key);
      if (random() < 0.3) await clock.advance(randomBelow(random, 20));
    }
    await clock.advance(100_000);
    expect([overlaps, most]).toEqual([0, 3]);
    expect(seen).toEqual(changed);
  });
});
