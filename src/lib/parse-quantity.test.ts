import { expect, test } from 'vitest';
import { parseQuantity } from './parse-quantity.ts';

test.each([
  ['0', 0],
  ['223Gi', 223 * 2 ** 30],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['.5Mi', 2 ** 19],
  ['10G', 1e10],
  ['500m', 0.5],
  ['1e9', 1e9],
  ['2E3', 2000],
  ['3E', 3e18],
  ['-1Ki', -1024],
])('%s is %d', (text, value) => {
  expect(parseQuantity(text)).toBe(value);
});

test.each(['', 'Gi', '1 Gi', '1gi', '1KB', '0x10', '1Gi ', 'NaN', '1e'])('"%s" is no quantity', (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});
