import { describe, expect, test } from 'vitest';
import { parseMacAddress } from './mac-address.ts';

describe('parseMacAddress', () => {
  test.each(['00:50:56:AB:CD:EF', '00-50-56-ab-cd-ef', '0050.56ab.cdef', '005056ABCDEF', ' 00:50:56:ab:cd:ef '])(
    'takes %j',
    (text) => {
      expect(parseMacAddress(text)).toEqual({ mac: '00:50:56:ab:cd:ef' });
    },
  );

  test.each([
    ['', 'not a MAC'],
    ['00:50:56:ab:cd', 'not a MAC'],
    ['00:50:56:ab:cd:ef:00', 'not a MAC'],
    ['00:50:56:ab:cd:eg', 'not a MAC'],
    ['00:00:00:00:00:00', 'zeroes'],
    ['01:00:5e:00:00:01', 'multicast'],
    ['ff:ff:ff:ff:ff:ff', 'multicast'],
    ['02:00:00:00:00:00', 'KubeVirt'],
  ])('refuses %j', (text, reason) => {
    expect(parseMacAddress(text)).toEqual({ reason: expect.stringContaining(reason) });
  });
});
