import { expect, test } from 'vitest';
import { renderAge } from './age.ts';

const NOW = Date.parse('2026-11-01T10:00:00Z');

test.each([
  ['2026-11-01T10:00:00Z', '0s'],
  ['2026-11-01T09:58:01Z', '119s'],
  ['2026-11-01T09:58:00Z', '2m'],
  ['2026-11-01T08:00:01Z', '119m'],
  ['2026-11-01T08:00:00Z', '2h'],
  ['2026-10-30T10:00:01Z', '47h'],
  ['2026-10-30T10:00:00Z', '2d'],
  ['2026-11-01T10:05:00Z', '0s'],
  ['nonsense', ''],
  [undefined, ''],
])('%s is %s ago', (time, age) => {
  expect(renderAge(time, NOW)).toBe(age);
});
