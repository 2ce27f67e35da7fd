import { describe, expect, test } from 'vitest';
import { settle } from '../testing/manual-clock.ts';
import { randomBelow, seededRandom } from '../testing/random.ts';
import { ByteBudget } from './byte-budget.ts';
import { SLAB_BYTES, SlabPool } from './slab-pool.ts';

describe('ByteBudget', () => {
  test('lets in what fits and keeps the order of asking', async () => {
    const budget = new ByteBudget(10);
    const granted: number[] = [];
    const ask = (bytes: number) => void budget.acquire(bytes).then(() => granted.push(bytes));
    for (const bytes of [4, 5, 7, 1]) ask(bytes);
    await settle();
    // The 1 would fit, but it came after the 7.
    expect(granted).toEqual([4, 5]);
    budget.release(4);
    await settle();
    expect(granted).toEqual([4, 5]);
    budget.release(5);
    await settle();
    expect(granted).toEqual([4, 5, 7, 1]);
    expect([budget.usedBytes, budget.peakBytes]).toEqual([8, 9]);
  });

  test('lets something larger than all of it in when nothing else is held', async () => {
    const budget = new ByteBudget(10);
    await budget.acquire(1);
    let isIn = false;
    const large = budget.acquire(1000).then(() => (isIn = true));
    await settle();
    expect(isIn).toBe(false);
    budget.release(1);
    await large;
    const small = budget.acquire(1);
    budget.release(1000);
    await small;
    expect(budget.usedBytes).toBe(1);
  });

  test('a large one that gives up lets through those behind it', async () => {
    const budget = new ByteBudget(10);
    await budget.acquire(5);
    const controller = new AbortController();
    const large = budget.acquire(9, { signal: controller.signal });
    const small = budget.acquire(2);
    controller.abort(new Error('enough'));
    await expect(large).rejects.toThrow('enough');
    await small;
    expect(budget.usedBytes).toBe(7);
    await expect(budget.acquire(1, { signal: controller.signal })).rejects.toThrow('enough');
    expect(budget.usedBytes).toBe(7);
  });

  test('giving back more than is held is a mistake that is told', async () => {
    const budget = new ByteBudget(10);
    await budget.acquire(5);
    expect(() => budget.release(6)).toThrow('only 5 held');
  });

  test.each([1, 2, 3])('whatever is asked for comes, and never too much at once (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const budget = new ByteBudget(100);
    const work = Array.from({ length: 200 }, async () => {
      const bytes = 1 + randomBelow(random, 60);
      await budget.acquire(bytes);
      for (let turns = randomBelow(random, 4); turns > 0; turns -= 1) await settle();
      budget.release(bytes);
    });
    await Promise.all(work);
    expect(budget.usedBytes).toBe(0);
    expect(budget.peakBytes).toBeLessThanOrEqual(100);
  });
});

describe('SlabPool', () => {
  test('gives shared memory of the length asked for and uses it again', async () => {
    const pool = new SlabPool(new ByteBudget(2 * SLAB_BYTES));
    const first = await pool.acquire(10);
    expect(first.bytes.length).toBe(10);
    expect(first.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(pool.heldBytes).toBe(SLAB_BYTES);
    first.release();
    const second = await pool.acquire(SLAB_BYTES);
    expect(second.bytes.buffer).toBe(first.bytes.buffer);
    expect(pool.madeCount).toBe(1);
  });

  test('two that are held at once never share memory, even when one is given back twice', async () => {
    const pool = new SlabPool(new ByteBudget(3 * SLAB_BYTES));
    const first = await pool.acquire(1);
    first.release();
    first.release();
    expect(pool.heldBytes).toBe(0);
    const [second, third] = [await pool.acquire(1), await pool.acquire(1)];
    expect(second.bytes.buffer).not.toBe(third.bytes.buffer);
  });

  test('makes a longer one to measure and keeps neither it nor idle memory beside it', async () => {
    const pool = new SlabPool(new ByteBudget(SLAB_BYTES));
    (await pool.acquire(1)).release();
    const large = await pool.acquire(5 * SLAB_BYTES);
    expect(large.bytes.buffer.byteLength).toBe(5 * SLAB_BYTES);
    large.release();
    const small = await pool.acquire(1);
    expect(small.bytes.buffer.byteLength).toBe(SLAB_BYTES);
    expect(pool.madeCount).toBe(3);
  });

  test('waits for memory that others hold', async () => {
    const pool = new SlabPool(new ByteBudget(SLAB_BYTES));
    const first = await pool.acquire(1);
    let isGranted = false;
    const second = pool.acquire(1).then(() => (isGranted = true));
    await settle();
    expect(isGranted).toBe(false);
    first.release();
    await second;
    const controller = new AbortController();
    const third = pool.acquire(1, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(third).rejects.toThrow('enough');
    expect(pool.heldBytes).toBe(SLAB_BYTES);
  });
});
