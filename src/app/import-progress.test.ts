import { describe, expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { ProgressTracker, RateMeter } from './import-progress.ts';

describe('RateMeter', () => {
  test('knows no speed before time has passed, then the mean of late', () => {
    const clock = new FakeClock();
    const meter = new RateMeter(clock, 1_000_000);
    expect(meter.bytesPerSecond).toBeUndefined();
    clock.ms += 1_000;
    meter.update(3_000_000);
    expect(meter.bytesPerSecond).toBe(2_000_000);
    expect(meter.etaMs(3_000_000, 5_000_000)).toBe(1_000);
    clock.ms += 3_000;
    meter.update(3_000_000);
    expect(meter.bytesPerSecond).toBe(1_000_000);
  });

  test('tells no time left while nothing moves or the end is unknown', () => {
    const clock = new FakeClock();
    const meter = new RateMeter(clock, 0);
    clock.ms += 1_000;
    meter.update(0);
    expect(meter.etaMs(0, 100)).toBeUndefined();
    meter.update(10);
    expect(meter.etaMs(10, undefined)).toBeUndefined();
  });
});

describe('ProgressTracker', () => {
  test('adds the disks up; what an earlier run copied is no speed of this one', () => {
    const clock = new FakeClock();
    const tracker = new ProgressTracker(clock, [
      { name: 'disk-0.raw', dataBytes: 100 },
      { name: 'disk-1.raw', dataBytes: undefined },
    ]);
    expect(tracker.update(0, { phase: 'copy', doneBytes: 50, totalBytes: 100 }).overall).toMatchObject({
      doneBytes: 50,
      totalBytes: undefined,
      bytesPerSecond: undefined,
    });
    tracker.update(0, { phase: 'done', doneBytes: 100, totalBytes: 100 });
    clock.ms += 1_000;
    const { disks, overall } = tracker.update(1, { phase: 'copy', doneBytes: 10, totalBytes: 40 });
    expect(overall).toMatchObject({ doneBytes: 110, totalBytes: 140, bytesPerSecond: 60 });
    expect(disks.map(({ phase }) => phase)).toEqual(['done', 'copy']);
  });

  test('verification has its own speed and does not count as copying', () => {
    const clock = new FakeClock();
    const tracker = new ProgressTracker(clock, [{ name: 'disk-0.raw', dataBytes: 100 }]);
    tracker.update(0, { phase: 'copy', doneBytes: 100, totalBytes: 100 });
    tracker.update(0, { phase: 'verify', doneBytes: 0, totalBytes: 1_000 });
    clock.ms += 1_000;
    const { disks, overall } = tracker.update(0, { phase: 'verify', doneBytes: 500, totalBytes: 1_000 });
    expect(disks[0]).toMatchObject({ phase: 'verify', bytesPerSecond: 500, etaMs: 1_000 });
    expect(overall.doneBytes).toBe(100);
  });
});
