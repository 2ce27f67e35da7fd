import { describe, expect, test } from 'vitest';
import { LaneTuner } from './lane-tuner.ts';

/** Runs for `seconds` with a throughput that depends on the number of lanes; returns the counts seen. */
function run(options: {
  first: number;
  most: number;
  cores: number;
  seconds?: number;
  isStarved?: (ms: number) => boolean;
}) {
  const { first, most, cores, seconds = 20, isStarved = () => false } = options;
  let ms = 0;
  const tuner = new LaneTuner({ first, most, now: () => ms });
  const counts = new Set([tuner.count]);
  for (; ms < seconds * 1000; ms += 10) {
    tuner.done(1_000_000 * Math.min(tuner.count, cores), !isStarved(ms));
    counts.add(tuner.count);
  }
  return { counts: [...counts], last: tuner.count };
}

describe('LaneTuner', () => {
  test('grows while more lanes bring more', () => {
    expect(run({ first: 4, most: 16, cores: 8 })).toMatchObject({ last: 8 });
    expect(run({ first: 4, most: 10, cores: 64 })).toMatchObject({ last: 10 });
  });

  test('takes back the lane that brought nothing, and stays', () => {
    expect(run({ first: 2, most: 16, cores: 2 })).toEqual({ counts: [2, 3], last: 2 });
  });

  test('never leaves its bounds', () => {
    expect(run({ first: 2, most: 2, cores: 8 }).counts).toEqual([2]);
    expect(run({ first: 4, most: 1, cores: 8 }).counts).toEqual([1]);
  });

  test('decides nothing while lanes wait for the source', () => {
    expect(run({ first: 2, most: 8, cores: 8, isStarved: (ms) => ms % 400 === 0 }).counts).toEqual([2]);
  });
});
