import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { RequestProgress, UsualRate } from './request-progress.ts';

/** Looks every 250 ms for so long, while so many bytes come in each step; tells when it was called slow first. */
function watch(
  clock: FakeClock,
  progress: RequestProgress,
  bytesPerStep: number,
  usual: number | undefined,
  ms = 5_000,
) {
  for (let passed = 250; passed <= ms; passed += 250) {
    clock.ms += 250;
    if (bytesPerStep > 0) progress.received(bytesPerStep);
    if (progress.isSlow(usual)) return passed;
  }
  return undefined;
}

function begin() {
  const clock = new FakeClock();
  return { clock, progress: new RequestProgress(clock) };
}

describe('a request', () => {
  test.each<[string, number, number | undefined, number | undefined]>([
    ['that brings nothing is slow after two seconds', 0, 1_000, 2_000],
    ['that brings nothing is slow also when nobody knows what is usual', 0, undefined, 2_000],
    ['that brings a fifth of what is usual is slow', 50_000, 1_000, 2_000],
    ['that brings a third of it is not', 83_000, 1_000, undefined],
    ['that brings little is not while nobody knows what is usual', 10, undefined, undefined],
  ])('%s', (_, bytesPerStep, usual, slowAt) => {
    const { clock, progress } = begin();
    expect(watch(clock, progress, bytesPerStep, usual)).toBe(slowAt);
  });

  test('that was quick and falls silent is slow when two seconds brought less than a quarter', () => {
    const { clock, progress } = begin();
    expect(watch(clock, progress, 250_000, 1_000, 10_000)).toBeUndefined();
    expect(watch(clock, progress, 0, 1_000)).toBe(1_750);
  });

  test('that was held up by us is not to blame', async () => {
    const { clock, progress } = begin();
    progress.received(10);
    await progress.hold(async () => {
      clock.ms += 60_000;
      expect(progress.isSlow(1_000)).toBe(false);
    });
    expect(progress.isSlow(1_000)).toBe(false);
    expect(progress.rate(0)).toBe(10);
    await expect(progress.hold(() => Promise.reject(new Error('stopped')))).rejects.toThrow('stopped');
    expect(watch(clock, progress, 0, 1_000)).toBe(2_000);
  });

  test('is not judged by one look after a long pause', () => {
    const { clock, progress } = begin();
    progress.isSlow(1_000);
    clock.ms += 10_000;
    progress.received(10);
    expect(progress.isSlow(1_000)).toBe(false);
  });
});

describe('the usual rate', () => {
  test('is unknown without any request, and the median of finished and grown-up ones', () => {
    const { clock, progress } = begin();
    const usual = new UsualRate();
    expect(usual.medianWith([progress])).toBeUndefined();
    usual.add(100);
    usual.add(300);
    expect(usual.medianWith([progress])).toBe(300);
    clock.ms += 1_000;
    progress.received(200_000);
    expect(usual.medianWith([progress])).toBe(200);
  });

  test('forgets what is long ago', () => {
    const usual = new UsualRate();
    for (let request = 0; request < 100; request += 1) usual.add(1);
    for (let request = 0; request < 16; request += 1) usual.add(1_000);
    expect(usual.medianWith([])).toBe(1_000);
  });
});
