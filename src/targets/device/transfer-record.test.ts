import { describe, expect, test } from 'vitest';
import { type TransferRecord, withZeroMethod } from './transfer-record.ts';

const record = (zeroes?: 'punched' | 'written'): TransferRecord => ({
  version: 1,
  machine: 'vm',
  devices: [
    { path: '/dev/sda', identity: 'a' },
    { path: '/dev/sdb', identity: 'b', ...(zeroes && { zeroes }) },
  ],
});

describe('withZeroMethod', () => {
  test.each([
    [undefined, undefined, undefined],
    [undefined, 'punched', 'punched'],
    [undefined, 'written', 'written'],
    ['punched', undefined, 'punched'],
    ['punched', 'written', 'written'],
    // An earlier run wrote zeroes; that later holes were punched does not undo it.
    ['written', 'punched', 'written'],
  ] as const)('%s, then %s: %s', (before, now, after) => {
    expect(withZeroMethod(record(before), 1, now)).toEqual(record(after));
  });

  test('what did not change is the same object, so that it is not stored again', () => {
    const before = record('punched');
    expect(withZeroMethod(before, 1, 'punched')).toBe(before);
    expect(withZeroMethod(before, 1, undefined)).toBe(before);
  });
});
