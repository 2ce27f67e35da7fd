import { expect, test } from 'vitest';
import { isConditionTrue, mergeConditions } from './conditions.ts';

const before = {
  type: 'Stalled',
  status: 'True',
  reason: 'VolumeNotBound',
  message: 'no space',
  lastUpdateTime: 't1',
  lastTransitionTime: 't0',
};

test('what says the same is left as it is, times and all', () => {
  const stored = [before];
  const claim = { type: 'Stalled', status: 'True', reason: 'VolumeNotBound', message: 'no space' } as const;
  expect(mergeConditions(stored, [claim], 't2')).toEqual(stored);
});

test('another message is an update, another status a transition', () => {
  const [updated] = mergeConditions([before], [{ type: 'Stalled', status: 'True', message: 'still none' }], 't2');
  expect(updated).toEqual({
    type: 'Stalled',
    status: 'True',
    message: 'still none',
    lastUpdateTime: 't2',
    lastTransitionTime: 't0',
  });
  const [gone] = mergeConditions([before], [{ type: 'Stalled', status: 'False' }], 't2');
  expect(gone).toEqual({ type: 'Stalled', status: 'False', lastUpdateTime: 't2', lastTransitionTime: 't2' });
});

test('types keep the order in which they first came; conditions of others stay', () => {
  const stored = [{ type: 'VMExported', status: 'True' }, before];
  const merged = mergeConditions(
    stored,
    [
      { type: 'Ready', status: 'False' },
      { type: 'Stalled', status: 'False' },
    ],
    't2',
  );
  expect(merged.map(({ type }) => type)).toEqual(['VMExported', 'Stalled', 'Ready']);
});

test('is asked by type and status', () => {
  expect(isConditionTrue([before], 'Stalled')).toBe(true);
  expect(isConditionTrue([{ ...before, status: 'False' }], 'Stalled')).toBe(false);
  expect(isConditionTrue(undefined, 'Stalled')).toBe(false);
});
