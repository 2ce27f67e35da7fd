import { expect, test } from 'vitest';
import { allEnded } from './all-ended.ts';

test('gives all results in their order', async () => {
  expect(await allEnded([Promise.resolve(1), 'two', Promise.resolve(3)])).toEqual([1, 'two', 3]);
});

test('fails with the first failure, and only when the others have ended', async () => {
  const slow = Promise.withResolvers<void>();
  let failed: unknown;
  const all = allEnded([Promise.reject(new Error('one')), slow.promise]).catch((error: unknown) => {
    failed = error;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(failed).toBeUndefined();
  slow.resolve();
  await all;
  expect(failed).toEqual(new Error('one'));
});
