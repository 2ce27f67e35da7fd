import { describe, expect, test } from 'vitest';
import { WaitQueue } from './wait-queue.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('WaitQueue', () => {
  test('serves in order and stops at the first that cannot be served', async () => {
    const queue = new WaitQueue();
    const served: number[] = [];
    for (const amount of [3, 5, 1]) void queue.wait(amount).then(() => served.push(amount));
    let left = 6;
    queue.serve((amount) => {
      if (amount > left) return false;
      left -= amount;
      return true;
    });
    await turn();
    expect(served).toEqual([3]);
    expect(queue.length).toBe(2);
  });

  test('forgets who gives up, and only them', async () => {
    const queue = new WaitQueue();
    const controller = new AbortController();
    const first = queue.wait(1);
    const second = queue.wait(1, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    expect(queue.length).toBe(1);
    queue.serve(() => true);
    await first;
    expect(queue.length).toBe(0);
  });

  test('who was served does not give up any more', async () => {
    const queue = new WaitQueue();
    const controller = new AbortController();
    const [first, second] = [queue.wait(1, { signal: controller.signal }), queue.wait(1)];
    let left = 1;
    queue.serve(() => left-- > 0);
    controller.abort(new Error('too late'));
    await first;
    expect(queue.length).toBe(1);
    queue.serve(() => true);
    await second;
  });

  test('an aborted signal does not even queue', async () => {
    const queue = new WaitQueue();
    await expect(queue.wait(1, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect(queue.length).toBe(0);
  });
});
