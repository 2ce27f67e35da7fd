import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { EndpointLink } from './endpoint-link.ts';

describe('EndpointLink', () => {
  test('is away while any kind of call fails, and tells each change once', () => {
    const told: boolean[] = [];
    const link = new EndpointLink(new FakeClock(), (isAway) => told.push(isAway));
    link.answered('POST /progress');
    expect(link.isAway).toBe(false);
    link.failed('PUT /checkpoint');
    link.failed('POST /progress');
    link.answered('POST /progress');
    expect(link.isAway).toBe(true);
    link.answered('PUT /checkpoint');
    expect(link.isAway).toBe(false);
    expect(told).toEqual([true, false]);
  });

  test('who waits goes on when it is back, and at once while it is there', async () => {
    const link = new EndpointLink(new FakeClock());
    await link.whenBack();
    link.failed('a');
    let isBack = false;
    const waiting = link.whenBack().then(() => {
      isBack = true;
    });
    await Promise.resolve();
    expect(isBack).toBe(false);
    link.answered('a');
    await waiting;
  });

  test('who waits can be told to stop', async () => {
    const link = new EndpointLink(new FakeClock());
    link.failed('a');
    const stop = new AbortController();
    const waiting = link.whenBack({ signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(link.whenBack({ signal: stop.signal })).rejects.toThrow('enough');
  });

  test('knows how long nothing was heard, whatever was answered last', () => {
    const clock = new FakeClock();
    const link = new EndpointLink(clock);
    clock.ms += 7_000;
    link.failed('a');
    expect(link.silentMs).toBe(7_000);
    link.answered('b');
    expect(link.silentMs).toBe(0);
    expect(link.isAway).toBe(true);
  });
});
