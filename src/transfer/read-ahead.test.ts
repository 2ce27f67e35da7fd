import { describe, expect, test } from 'vitest';
import { collect } from '../testing/collect.ts';
import { readAhead } from './read-ahead.ts';

function counted(count: number, failAt = Number.POSITIVE_INFINITY) {
  const seen = { pulled: 0, closed: false };
  async function* items() {
    try {
      for (let item = 0; item < count; item += 1) {
        if (item === failAt) throw new Error('source failed');
        seen.pulled += 1;
        yield item;
      }
    } finally {
      seen.closed = true;
    }
  }
  return { seen, items: items() };
}
const budget = { budgetBytes: 5, sizeOf: () => 1 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('readAhead', () => {
  test('keeps the order', async () => {
    expect(await collect(readAhead(counted(50).items, budget))).toEqual([...Array(50).keys()]);
  });

  test('pulls no further than its budget while nobody takes', async () => {
    const { seen, items } = counted(50);
    const ahead = readAhead(items, budget);
    expect((await ahead.next()).value).toBe(0);
    await turn();
    expect(seen.pulled).toBe(6);
    await ahead.return();
    expect(seen.closed).toBe(true);
  });

  test('hands on what came before a failure, then the failure', async () => {
    const got: number[] = [];
    await expect(async () => {
      for await (const item of readAhead(counted(50, 3).items, budget)) got.push(item);
    }).rejects.toThrow('source failed');
    expect(got).toEqual([0, 1, 2]);
  });

  test('lets an item through that is larger than the budget', async () => {
    expect(await collect(readAhead(counted(3).items, { budgetBytes: 5, sizeOf: () => 100 }))).toEqual([0, 1, 2]);
  });

  test('stopping early closes the source', async () => {
    const { seen, items } = counted(50);
    for await (const _item of readAhead(items, budget)) break;
    expect(seen.closed).toBe(true);
  });
});
