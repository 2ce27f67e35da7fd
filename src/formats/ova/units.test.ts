import { describe, expect, it } from 'vitest';
import { parseByteUnit } from './units.ts';

describe('parseByteUnit (W28)', () => {
  it.each<[string, bigint]>([
    ['', 1n],
    ['byte', 1n],
    ['bytes', 1n],
    ['Bytes', 1n],
    ['byte * 2^10', 2n ** 10n],
    ['byte * 2^20', 2n ** 20n],
    ['byte*2^20', 2n ** 20n],
    ['byte * 2 ^ 20', 2n ** 20n],
    ['  Byte  *  2^20 ', 2n ** 20n],
    ['bytes * 2^20', 2n ** 20n],
    ['2^20 * byte', 2n ** 20n],
    ['byte * 2^30', 2n ** 30n],
    ['byte * 2^40', 2n ** 40n],
    ['byte * 10^3', 1000n],
    ['byte * 10^9', 10n ** 9n],
    ['byte*1024*1024', 2n ** 20n],
    ['byte * 1000', 1000n],
    ['KiloBytes', 2n ** 10n],
    ['kilobyte', 2n ** 10n],
    ['KB', 2n ** 10n],
    ['KiB', 2n ** 10n],
    ['MegaBytes', 2n ** 20n],
    ['megabytes', 2n ** 20n],
    ['MB', 2n ** 20n],
    ['MiB', 2n ** 20n],
    ['GigaBytes', 2n ** 30n],
    ['GB', 2n ** 30n],
    ['GiB', 2n ** 30n],
    ['TeraBytes', 2n ** 40n],
    ['TB', 2n ** 40n],
    ['PetaBytes', 2n ** 50n],
    ['MegaBytes * 2^10', 2n ** 30n],
  ])('reads %j', (text, bytes) => {
    expect(parseByteUnit(text)).toBe(bytes);
  });

  it.each([
    'hertz * 10^6',
    'count',
    '2^20',
    'byte * byte',
    'byte *',
    '* byte',
    'byte * 2^64',
    'byte * 2^-1',
    'byte * 0',
    'byte * x',
    'bits',
    'MBytes2',
    'byte * 99999999999',
    `byte${' * 2'.repeat(9)}`,
    `byte * ${'9'.repeat(1000)}`,
  ])('refuses %j', (text) => {
    expect(parseByteUnit(text)).toBeUndefined();
  });
});
