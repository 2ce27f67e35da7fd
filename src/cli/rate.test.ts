import { describe, expect, test } from 'vitest';
import { parseRate } from './rate.ts';
import { UsageError } from './usage-error.ts';

describe('parseRate', () => {
  test.each([
    ['150MB', 150_000_000],
    ['150MB/s', 150_000_000],
    ['20MiB', 20_971_520],
    ['20 MiB', 20_971_520],
    ['20Mi', 20_971_520],
    ['1.5G', 1_500_000_000],
    ['1.5GiB', 1_610_612_736],
    ['500k', 500_000],
    ['500K', 500_000],
    ['500KiB', 512_000],
    ['2T', 2_000_000_000_000],
    ['65536', 65_536],
    ['65536B', 65_536],
    [' 1kB ', 1_000],
  ])('%s are %i bytes per second', (text, bytes) => {
    expect(parseRate(text)).toBe(bytes);
  });

  test.each(['', 'MB', 'fast', '-5MB', '1e6', '1,5G', '5 MB per second', '5iB', '5XB', '0x10MB', 'Infinity', '5MBB'])(
    '%j is refused with examples',
    (text) => {
      expect(() => parseRate(text)).toThrow(UsageError);
      expect(() => parseRate(text)).toThrow('such as 150MB, 20MiB or 1.5G');
    },
  );

  test.each(['100Mb', '100Mbit', '100Mbps', '100mb', '100Mb/s'])(
    '%s could be bits and is refused with a hint',
    (text) => {
      expect(() => parseRate(text)).toThrow('in bytes');
    },
  );

  test.each(['0', '0MB', '150', '0.5kB'])('%s has lost its unit', (text) => {
    expect(() => parseRate(text)).toThrow('write a unit');
  });

  test('what no number can hold is refused', () => {
    expect(() => parseRate('99999T')).toThrow('more than any link');
  });
});
