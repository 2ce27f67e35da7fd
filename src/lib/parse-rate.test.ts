import { describe, expect, test } from 'vitest';
import { isUsableRate, parseRate } from './parse-rate.ts';

// The forms people write are tested where they write them: cli/rate.test.ts.
describe('parseRate', () => {
  test.each([
    ['150MB', 150_000_000],
    ['20MiB/s', 20_971_520],
    ['1.5G', 1_500_000_000],
    ['500K', 500_000],
    ['65536', 65_536],
    ['3Ti', 3_298_534_883_328],
  ])('%s are %i bytes per second', (text, bytes) => {
    expect(parseRate(text)).toBe(bytes);
  });

  test.each(['', 'fast', '5iB', '-5MB', '1e6', '100Mbit'])('%j is none', (text) => {
    expect(parseRate(text)).toBeUndefined();
  });
});

describe('isUsableRate', () => {
  test.each(['1kB', '8000T'])('%s is', (text) => {
    expect(isUsableRate(text)).toBe(true);
  });

  test.each(['150', '0MB', '99999T', 'fast'])('%s is not', (text) => {
    expect(isUsableRate(text)).toBe(false);
  });
});
