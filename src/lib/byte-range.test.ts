import { expect, test } from 'vitest';
import { parseRange } from './byte-range.ts';

test.each([
  [undefined, { from: 0, to: 100, isPart: false }],
  ['bytes=0-127', { from: 0, to: 100, isPart: true }],
  ['bytes=0-0', { from: 0, to: 1, isPart: true }],
  ['bytes=99-', { from: 99, to: 100, isPart: true }],
  ['bytes=40-59', { from: 40, to: 60, isPart: true }],
  ['bytes=-1', { from: 99, to: 100, isPart: true }],
  ['bytes=-500', { from: 0, to: 100, isPart: true }],
  ['bytes=100-', undefined],
  ['bytes=-0', undefined],
  // Nothing that the standard wants to be understood.
  ['bytes=-', { from: 0, to: 100, isPart: false }],
  ['bytes=9-3', { from: 0, to: 100, isPart: false }],
  ['bytes=0-1,5-6', { from: 0, to: 100, isPart: false }],
  ['sectors=0-1', { from: 0, to: 100, isPart: false }],
  [`bytes=${'9'.repeat(40)}-`, { from: 0, to: 100, isPart: false }],
])('of 100 bytes, "%s" is %o', (header, expected) => {
  expect(parseRange(header, 100)).toEqual(expected);
});
