import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SourceRelay } from '../../ports/source-relay.ts';
import { ManualClock, settle } from '../../testing/manual-clock.ts';
import { RelayPool } from './relay-pool.ts';

const run = (id: string, epoch = 1) => ({ id, epoch });

describe('relays of transfers', () => {
  let clock: ManualClock;
  let pool: RelayPool;
  let opened: string[];
  let closed: string[];
  let warned: string[];
  let failure: Error | undefined;
  beforeEach(() => {
    [opened, closed, warned, failure] = [[], [], [], undefined];
    clock = new ManualClock();
    pool = new RelayPool({
      async open({ id, epoch }) {
        if (failure !== undefined) throw failure;
        const name = `${id}/${epoch}`;
        opened.push(name);
        return {
          path: name,
          location: name,
          get: () => Promise.reject(new Error('not asked')),
          [Symbol.asyncDispose]: async () => void closed.push(name),
        } satisfies SourceRelay;
      },
      clock,
      log: { info: () => {}, warn: (message) => void warned.push(message), error: () => {} },
      mostOfOne: 2,
      mostOfAll: 3,
    });
  });
  afterEach(() => pool[Symbol.asyncDispose]());

  const use = (id: string, epoch = 1) => pool.use(run(id, epoch), async ({ path }) => path);

  /** Uses one until told. */
  function hold(id: string, epoch = 1) {
    let end = () => {};
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const held = pool.use(run(id, epoch), () => until);
    return { held, end };
  }

  test('are opened once and used again', async () => {
    expect([await use('a'), await use('a'), await use('b')]).toEqual(['a/1', 'a/1', 'b/1']);
    expect(opened).toEqual(['a/1', 'b/1']);
  });

  test('are closed after a minute in which nobody asked', async () => {
    await use('a');
    await clock.advance(50_000);
    await use('a');
    await clock.advance(50_000);
    expect(closed).toEqual([]);
    await clock.advance(60_000);
    expect(closed).toEqual(['a/1']);
    await use('a');
    expect(opened).toEqual(['a/1', 'a/1']);
    await clock.advance(120_000);
    expect(closed).toEqual(['a/1', 'a/1']);
    expect(clock.waiting).toBe(0);
  });

  test('stay open for as long as a body takes', async () => {
    const { held, end } = hold('a');
    await clock.advance(3_600_000);
    expect(closed).toEqual([]);
    end();
    await held;
    await clock.advance(120_000);
    expect(closed).toEqual(['a/1']);
  });

  test('of an earlier run are closed when the next one asks', async () => {
    const { held, end } = hold('a', 1);
    await settle();
    expect(await use('a', 2)).toBe('a/2');
    await settle();
    expect(closed).toEqual(['a/1']);
    end();
    await held;
  });

  test('turn away what is too much, for one and for all', async () => {
    const holds = [hold('a'), hold('a')];
    await settle();
    await expect(use('a')).rejects.toMatchObject({ code: 'SourceBusy' });
    holds.push(hold('b'));
    await settle();
    await expect(use('c')).rejects.toMatchObject({ code: 'SourceBusy' });
    for (const { end } of holds) end();
    await Promise.all(holds.map(({ held }) => held));
    expect(await use('c')).toBe('c/1');
  });

  test('that could not be opened are tried again', async () => {
    failure = new Error('no Secret');
    await expect(use('a')).rejects.toThrow('no Secret');
    failure = undefined;
    expect(await use('a')).toBe('a/1');
    expect(pool.size).toBe(1);
  });

  test('are all closed at the end', async () => {
    await use('a');
    await use('b');
    await pool[Symbol.asyncDispose]();
    expect(closed.toSorted()).toEqual(['a/1', 'b/1']);
    expect(warned).toEqual([]);
  });
});
