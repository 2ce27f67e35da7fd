import { describe, expect, test } from 'vitest';
import { formatBytes, formatDuration } from './format-units.ts';

describe('formatBytes', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [65_536, '64 KiB'],
    [104_857_600, '100 MiB'],
    [1_073_741_823, '1 GiB'],
    [8 * 2 ** 30, '8 GiB'],
    [2 ** 60, '1024 PiB'],
  ])('%i is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('formatDuration', () => {
  test.each([
    [40, '0.0 s'],
    [400, '0.4 s'],
    [9_960, '10 s'],
    [59_600, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [7_620_000, '2 h 07 min'],
  ])('%i ms are %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
