import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { settle } from '../testing/manual-clock.ts';
import { RequestSlots } from './request-slots.ts';

const clock = new FakeClock();

describe('RequestSlots', () => {
  test('grants as many as the depth says, and the next one in the order of asking', async () => {
    const slots = new RequestSlots({ clock });
    const granted: string[] = [];
    const ask = async (name: string) => {
      const slot = await slots.acquire();
      granted.push(name);
      return slot;
    };
    const asked = ['a', 'b', 'c', 'd'].map(ask);
    await settle();
    expect(granted).toEqual(['a', 'b']);
    (await asked[1])?.release();
    (await asked[1])?.release();
    await settle();
    expect(granted).toEqual(['a', 'b', 'c']);
    expect(slots.inFlight).toBe(2);
  });

  test('takes a turn away from nobody when one gives up', async () => {
    const slots = new RequestSlots({ clock, maxConnections: 1 });
    const first = await slots.acquire();
    const controller = new AbortController();
    const second = slots.acquire({ signal: controller.signal });
    const third = slots.acquire();
    controller.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    first.release();
    await third;
    expect(slots.inFlight).toBe(1);
    await expect(slots.acquire({ signal: controller.signal })).rejects.toThrow('enough');
  });

  test('hands out the slots of a greater depth as soon as it is decided', async () => {
    const own = new FakeClock();
    const slots = new RequestSlots({ clock: own });
    const one = await slots.acquire();
    await slots.acquire();
    const waiting = [slots.acquire(), slots.acquire()];
    for (let step = 0; step < 40; step += 1) {
      own.ms += 10;
      one.received(50_000);
    }
    await Promise.all(waiting);
    expect(slots.inFlight).toBe(4);
  });

  test('a failed request makes it careful', async () => {
    const slots = new RequestSlots({ clock });
    const slot = await slots.acquire();
    slot.failed();
    expect(slots.tuner.depth).toBe(1);
  });
});
