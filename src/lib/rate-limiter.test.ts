import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { ManualClock, settle } from '../testing/manual-clock.ts';
import { RateLimiter } from './rate-limiter.ts';

type Taken = { take(bytes: number, options?: { signal?: AbortSignal }): Promise<void> };

/** Takes one piece after the other until told to stop. */
function takeOn(from: Taken, pieceBytes: number) {
  const taken = { bytes: 0, isStopped: false };
  const run = (async () => {
    while (!taken.isStopped) {
      await from.take(pieceBytes);
      taken.bytes += pieceBytes;
    }
  })();
  return { taken, run };
}

describe('RateLimiter', () => {
  test.each([
    [1_000_000, 65_536],
    [100_000, 65_536],
    [150_000_000, 65_536],
    [20_971_520, 4_096],
    [1_000_000, 1_000],
  ])(
    'lets %i bytes a second pass, in pieces of %i, within a hundredth over ten seconds',
    async (bytesPerSecond, piece) => {
      const clock = new FakeClock();
      const limiter = new RateLimiter({ bytesPerSecond, clock });
      const started = clock.ms;
      let bytes = 0;
      while (bytes < 10 * bytesPerSecond) {
        await limiter.take(piece);
        bytes += piece;
      }
      // The last piece may reach past the ten seconds.
      const seconds = (clock.ms - started) / 1000;
      expect(bytes / seconds / bytesPerSecond).toBeGreaterThan(0.99);
      expect(bytes / seconds / bytesPerSecond).toBeLessThan(1.01);
    },
  );

  test('lets at most a tenth of a second pass at once after a pause', async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ bytesPerSecond: 1_000_000, clock });
    await clock.advance(3_600_000);
    const { taken } = takeOn(limiter, 1_000);
    await clock.advance(0);
    expect(taken.bytes).toBeGreaterThan(0);
    expect(taken.bytes).toBeLessThanOrEqual(100_000);
  });

  test('keeps the rate when the clock wakes late each time', async () => {
    const clock = new FakeClock();
    const late = { monotonicMs: () => clock.ms, delay: (ms: number) => clock.delay(ms + 4) };
    const limiter = new RateLimiter({ bytesPerSecond: 10_000_000, clock: late });
    const started = clock.ms;
    for (let piece = 0; piece < 1_600; piece += 1) await limiter.take(65_536);
    const rate = (1_600 * 65_536) / ((clock.ms - started) / 1000);
    expect(rate / 10_000_000).toBeGreaterThan(0.99);
    expect(rate / 10_000_000).toBeLessThan(1.01);
  });

  test('does not make good a second in which the process stood still', async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ bytesPerSecond: 1_000_000, clock });
    const takers = Array.from({ length: 400 }, () => takeOn(limiter, 1_000));
    const sum = () => takers.reduce((bytes, { taken }) => bytes + taken.bytes, 0);
    await clock.advance(100);
    const before = sum();
    clock.ms += 5_000;
    await clock.advance(0);
    expect(sum() - before).toBeLessThanOrEqual(100_000);
  });

  test('keeps one rate over all who take', async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ bytesPerSecond: 1_000_000, clock });
    const takers = Array.from({ length: 16 }, () => takeOn(limiter, 10_000));
    await clock.advance(10_000);
    const bytes = takers.reduce((sum, { taken }) => sum + taken.bytes, 0);
    expect(bytes).toBeGreaterThan(9_900_000);
    expect(bytes).toBeLessThan(10_100_000);
    // In order, so equally.
    for (const { taken } of takers) expect(Math.abs(taken.bytes - bytes / 16)).toBeLessThanOrEqual(20_000);
  });

  test('gives each share the same, however many take from it', async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ bytesPerSecond: 1_000_000, clock });
    const [one, other] = [limiter.share(), limiter.share()];
    const many = Array.from({ length: 8 }, () => takeOn(one, 10_000));
    const few = [takeOn(other, 5_000)];
    await clock.advance(10_000);
    const sum = (takers: typeof many) => takers.reduce((bytes, { taken }) => bytes + taken.bytes, 0);
    expect(sum(many) / sum(few)).toBeGreaterThan(0.9);
    expect(sum(many) / sum(few)).toBeLessThan(1.1);
  });

  test('gives a share that was idle no claim on the past', async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ bytesPerSecond: 1_000_000, clock });
    const [busy, idle] = [takeOn(limiter.share(), 10_000), limiter.share()];
    await clock.advance(10_000);
    const before = busy.taken.bytes;
    const late = takeOn(idle, 10_000);
    await clock.advance(2_000);
    expect(busy.taken.bytes - before).toBeGreaterThan(900_000);
    expect(late.taken.bytes).toBeGreaterThan(900_000);
  });

  test('a taker that gives up costs nothing and holds up nobody', async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ bytesPerSecond: 1_000, clock });
    const controller = new AbortController();
    const large = limiter.take(1_000_000, { signal: controller.signal });
    const small = limiter.take(500);
    let isThrough = false;
    void small.then(() => (isThrough = true));
    await clock.advance(100);
    controller.abort(new Error('enough'));
    await expect(large).rejects.toThrow('enough');
    await clock.advance(400);
    expect(isThrough).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  test('somebody else giving up does not make a large take wait anew', async () => {
    const clock = new ManualClock();
    const limiter = new RateLimiter({ bytesPerSecond: 1_000, clock });
    let isThrough = false;
    void limiter.take(10_000).then(() => (isThrough = true));
    for (let second = 0; second < 9; second += 1) {
      await clock.advance(1_000);
      const controller = new AbortController();
      const other = limiter.take(1, { signal: controller.signal });
      controller.abort(new Error('changed my mind'));
      await expect(other).rejects.toThrow('changed my mind');
    }
    await clock.advance(1_000);
    expect(isThrough).toBe(true);
  });

  test('throws at once for a signal that was aborted before', async () => {
    const limiter = new RateLimiter({ bytesPerSecond: 1_000, clock: new FakeClock() });
    await expect(limiter.take(1, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    await settle();
  });

  test.each([0, -1, Number.NaN])('refuses a rate of %s', (bytesPerSecond) => {
    expect(() => new RateLimiter({ bytesPerSecond, clock: new FakeClock() })).toThrow(RangeError);
  });
});
