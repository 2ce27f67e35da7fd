import { type Duplex, PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ProblemError } from '../domain/problems.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { keepTunnels } from './tunnel-keeper.ts';

class World {
  readonly clock = new ManualClock();
  readonly opened: PassThrough[] = [];
  readonly served: Duplex[] = [];
  readonly retried: unknown[] = [];
  readonly stop = new AbortController();
  failing: unknown;

  keep(waiting = 2): Promise<void> {
    const keeping = keepTunnels(
      {
        clock: this.clock,
        random: () => 0.5,
        waiting,
        connect: async () => {
          if (this.failing !== undefined) throw this.failing;
          const connection = new PassThrough();
          this.opened.push(connection);
          return connection;
        },
        serve: (connection) => this.served.push(connection),
        onRetry: (error) => this.retried.push(error),
      },
      { signal: this.stop.signal },
    );
    keeping.catch(() => {});
    return keeping;
  }
}

describe('keepTunnels', () => {
  test('as many wait as told; one that is asked by is served, and another takes its place', async () => {
    const world = new World();
    const keeping = world.keep();
    await settle();
    expect([world.opened.length, world.served.length]).toEqual([2, 0]);
    world.opened[0]?.write('hello');
    await settle();
    expect(world.served).toEqual([world.opened[0]]);
    expect(world.opened).toHaveLength(3);
    // What made it wanted is still there to be read.
    expect(world.served[0]?.read()?.toString()).toBe('hello');
    world.stop.abort(new Error('enough'));
    await expect(keeping).rejects.toThrow('enough');
    expect(world.opened.slice(1).every(({ destroyed }) => destroyed)).toBe(true);
    expect(world.opened[0]?.destroyed).toBe(false);
  });

  test('one that is closed while it waits is opened again, with growing pauses', async () => {
    const world = new World();
    world.keep(1);
    await settle();
    world.opened[0]?.destroy();
    await settle();
    expect(world.opened).toHaveLength(1);
    await world.clock.advance(500);
    expect(world.opened).toHaveLength(2);
    world.opened[1]?.destroy();
    await settle();
    await world.clock.advance(500);
    expect(world.opened).toHaveLength(2);
    await world.clock.advance(500);
    expect(world.opened).toHaveLength(3);
    world.stop.abort();
  });

  test('a cluster that is away is tried until it is back', async () => {
    const world = new World();
    world.failing = new ProblemError('ClusterUnreachable', 'away');
    world.keep(1);
    await settle();
    await world.clock.advance(60_000);
    expect(world.retried.length).toBeGreaterThan(3);
    world.failing = undefined;
    await world.clock.advance(15_000);
    expect(world.opened).toHaveLength(1);
    world.stop.abort();
  });

  test.each([
    new ProblemError('ClusterForbidden', 'this user may not create pods/portforward'),
    new ProblemError('ClusterObjectMissing', 'the Pod is gone'),
    new TypeError('a bug'),
  ])('what no retry cures ends it and all that wait: %s', async (error) => {
    const world = new World();
    const keeping = world.keep(2);
    await settle();
    world.failing = error;
    world.opened[0]?.destroy();
    await settle();
    await world.clock.advance(1_000);
    await expect(keeping).rejects.toBe(error);
    expect(world.opened.every(({ destroyed }) => destroyed)).toBe(true);
  });

  test('a connection that fails is closed, and brings nothing down', async () => {
    const world = new World();
    world.keep(1);
    await settle();
    world.opened[0]?.destroy(new Error('ECONNRESET'));
    await settle();
    await world.clock.advance(500);
    expect(world.opened).toHaveLength(2);
    world.stop.abort();
  });
});
