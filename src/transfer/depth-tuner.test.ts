import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { DepthTuner } from './depth-tuner.ts';

interface Server {
  /** Bytes per ms that this many requests bring together. */
  readonly rate: (depth: number) => number;
  readonly latencyMs?: (depth: number) => number;
  /** How many of the requests that may be in flight really are. */
  readonly used?: (depth: number) => number;
}

function startTuner(maxConnections?: number) {
  const clock = new FakeClock();
  const tuner = new DepthTuner({ clock, maxConnections });
  /** Lets the server work for so long, in steps of 10 ms; returns each depth there was. */
  const run = (server: Server, ms: number): number[] => {
    const depths: number[] = [];
    for (let passed = 0; passed < ms; passed += 10) {
      const { depth } = tuner;
      if (depths.at(-1) !== depth) depths.push(depth);
      const used = server.used?.(depth) ?? depth;
      tuner.setInFlight(used);
      clock.ms += 10;
      if (passed % 50 === 0) tuner.firstByte(server.latencyMs?.(used) ?? 20);
      tuner.received(10 * server.rate(used));
    }
    return depths;
  };
  return { clock, tuner, run };
}

const perConnection: Server = { rate: (depth) => 5_000 * depth };
const linkFullAt = (connections: number): Server => ({ rate: (depth) => 5_000 * Math.min(depth, connections) });

describe('DepthTuner', () => {
  test.each<[string, Server, number | undefined, number[]]>([
    ['grows to the maximum while every connection adds its own', perConnection, undefined, [2, 4, 8, 16]],
    ['grows no further than it may', perConnection, 6, [2, 4, 6]],
    ['stays at one when no more is allowed', perConnection, 1, [1]],
    ['goes back to two when a second pair brings nothing', linkFullAt(2), undefined, [2, 4, 2]],
    ['stops where it is worth it the last time', linkFullAt(6), undefined, [2, 4, 8, 16, 8]],
    ['nine percent more are not worth it', { rate: (depth) => (depth > 2 ? 10_900 : 10_000) }, undefined, [2, 4, 2]],
    ['eleven percent more are', { rate: (depth) => (depth > 2 ? 11_100 : 10_000) }, undefined, [2, 4, 8, 4]],
    ['makes nothing of requests that are not there', { ...perConnection, used: () => 1 }, undefined, [2]],
  ])('%s', (_, server, maxConnections, depths) => {
    const { run } = startTuner(maxConnections);
    expect(run(server, 1_500)).toEqual(depths);
  });

  test('reaches the maximum within a second', () => {
    const { run, tuner } = startTuner();
    run(perConnection, 800);
    expect(tuner.depth).toBe(16);
  });

  test('is quick to try again at first, and then every ten seconds', () => {
    const { run, clock } = startTuner();
    const triedAt: number[] = [];
    const started = clock.ms;
    while (clock.ms - started < 60_000) if (run(linkFullAt(2), 10)[0] === 4) triedAt.push(clock.ms - started);
    const starts = triedAt.filter((ms, index) => ms - (triedAt[index - 1] ?? -1_000) > 100);
    const pauses = starts.slice(1).map((ms, index) => Math.round((ms - (starts[index] ?? 0)) / 1_000));
    expect(pauses.slice(0, 4)).toEqual([1, 2, 4, 8]);
    expect(pauses.slice(4).every((seconds) => seconds >= 10 && seconds <= 12)).toBe(true);
  });

  test('finds a link that became wider', () => {
    const { run, tuner } = startTuner();
    run(linkFullAt(2), 30_000);
    expect(tuner.depth).toBe(2);
    run(perConnection, 12_000);
    expect(tuner.depth).toBe(16);
  });

  test('one bad moment while growing is not held against the depth', () => {
    const { run, tuner } = startTuner();
    while (tuner.depth === 2) run(perConnection, 10);
    run({ rate: () => 100 }, 220);
    run(perConnection, 1_000);
    expect(tuner.depth).toBe(16);
  });

  test('a failure halves it once, however many requests it takes along', () => {
    const { run, tuner, clock } = startTuner();
    run(perConnection, 1_500);
    for (let failures = 0; failures < 16; failures += 1) tuner.failed();
    expect(tuner.depth).toBe(8);
    clock.ms += 1_000;
    tuner.failed();
    expect(tuner.depth).toBe(4);
  });

  test('failures never take the last request', () => {
    const { tuner, clock } = startTuner();
    for (let failures = 0; failures < 10; failures += 1) {
      tuner.failed();
      clock.ms += 5_000;
    }
    expect(tuner.depth).toBe(1);
  });

  test('after a failure it grows again, but not at once', () => {
    const { run, tuner } = startTuner();
    run(perConnection, 1_500);
    tuner.failed();
    run(perConnection, 900);
    expect(tuner.depth).toBe(8);
    run(perConnection, 1_000);
    expect(tuner.depth).toBe(16);
  });

  test('answers that come late without bringing more halve it, as long as that costs nothing', () => {
    const { run } = startTuner();
    run(perConnection, 1_500);
    // Now the server keeps a queue, and four requests would do.
    const queueing: Server = { rate: () => 20_000, latencyMs: (depth) => (depth > 4 ? 100 * depth : 20) };
    expect(run(queueing, 20_000).slice(0, 3)).toEqual([16, 8, 4]);
  });

  test('answers that come late are no matter while each request brings its own', () => {
    const { run, tuner } = startTuner();
    run({ ...perConnection, latencyMs: (depth) => 40 * depth }, 12_000);
    expect(tuner.depth).toBe(16);
  });

  test('a few milliseconds more on a quick network are no sign of a queue', () => {
    const { run } = startTuner();
    run({ ...perConnection, latencyMs: () => 1 }, 1_500);
    expect(run({ ...perConnection, latencyMs: () => 100 }, 2_000)).toEqual([16]);
  });

  test('a path that has become longer for good is not held against the server for ever', () => {
    const { run } = startTuner();
    run(perConnection, 1_500);
    const depths = run({ ...perConnection, latencyMs: () => 400 }, 60_000);
    expect(depths).toEqual([16, 8, 16]);
  });

  test('one answer after minutes does not stop the measuring for minutes', () => {
    const { run, tuner } = startTuner();
    tuner.firstByte(300_000);
    run(perConnection, 15_000);
    expect(tuner.depth).toBe(16);
  });

  test('once a greater depth has paid, it is quick to try again after a failure', () => {
    const { run, tuner } = startTuner();
    run(linkFullAt(2), 40_000);
    run(perConnection, 12_000);
    tuner.failed();
    run(perConnection, 2_000);
    expect(tuner.depth).toBe(16);
  });

  test('a consumer that takes slowly changes nothing', () => {
    const { run, tuner } = startTuner();
    run(perConnection, 1_500);
    run({ rate: () => 10, used: () => 3 }, 20_000);
    expect(tuner.depth).toBe(16);
  });
});
