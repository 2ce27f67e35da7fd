import { describe, expect, test } from 'vitest';
import { FairSlots } from './fair-slots.ts';

/** Work that ends when told. */
function pending() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { promise, resolve, reject };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('FairSlots', () => {
  test('lets no more work at once than there are places', async () => {
    const slots = new FairSlots(2);
    const works = [pending(), pending(), pending()];
    const begun: number[] = [];
    const runs = works.map((work, index) =>
      slots.run('a', () => {
        begun.push(index);
        return work.promise;
      }),
    );
    await settle();
    expect(begun).toEqual([0, 1]);
    works[1]?.resolve();
    await settle();
    expect(begun).toEqual([0, 1, 2]);
    for (const work of works) work.resolve();
    await Promise.all(runs);
  });

  test('groups take turns, whoever asked first', async () => {
    const slots = new FairSlots(1);
    const order: string[] = [];
    const first = pending();
    const runs = [slots.run('a', () => first.promise)];
    for (const name of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) {
      runs.push(slots.run(name[0] ?? '', async () => void order.push(name)));
    }
    first.resolve();
    await Promise.all(runs);
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3']);
  });

  test('a failure gives its place back', async () => {
    const slots = new FairSlots(1);
    await expect(slots.run('a', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    await expect(slots.run('a', async () => 'next')).resolves.toBe('next');
  });

  test('whoever gives up while waiting is not given a place', async () => {
    const slots = new FairSlots(1);
    const work = pending();
    const running = slots.run('a', () => work.promise);
    const abort = new AbortController();
    const given = slots.run('b', () => expect.fail('was given up'), { signal: abort.signal });
    const next = slots.run('b', async () => 'next');
    abort.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    work.resolve();
    await running;
    await expect(next).resolves.toBe('next');
    await expect(slots.run('a', async () => 1, { signal: abort.signal })).rejects.toThrow('enough');
  });
});
