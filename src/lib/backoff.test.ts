import { describe, expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const shape = { firstMs: 100, capMs: 5_000 };

describe('backoffMs', () => {
  test('doubles with every failure up to the cap', () => {
    const waits = [1, 2, 3, 6, 7, 8].map((failures) => backoffMs(failures, shape, () => 0.999_999_999));
    expect(waits.map(Math.round)).toEqual([100, 200, 400, 3_200, 5_000, 5_000]);
  });

  test('chance shortens a wait to no less than half', () => {
    expect(backoffMs(3, shape, () => 0)).toBe(200);
  });

  test('stays at the cap however often it fails', () => {
    expect(backoffMs(1_000_000, shape, () => 0)).toBe(2_500);
  });
});
