import { expect, test } from 'vitest';
import { statusPatch } from './status-patch.ts';

test('names what changed and nothing else', () => {
  const before = { importStatus: 'a', progress: { phase: 'x', doneBytes: 1, disks: [1, 2] }, same: { deep: [1] } };
  const after = { importStatus: 'b', progress: { phase: 'x', doneBytes: 2, disks: [1, 3] }, same: { deep: [1] } };
  expect(statusPatch(before, after)).toEqual({ importStatus: 'b', progress: { doneBytes: 2, disks: [1, 3] } });
});

test('what is absent now is removed, also inside', () => {
  expect(statusPatch({ a: 1, b: { c: 1, d: 2 } }, { b: { c: 1 } })).toEqual({ a: null, b: { d: null } });
  expect(statusPatch({ a: 1 }, { a: undefined })).toEqual({ a: null });
});

test('the same is no patch, whatever stands for absent', () => {
  expect(statusPatch({ a: { b: [{ c: 1 }] }, n: null }, { a: { b: [{ c: 1 }] }, x: undefined })).toBeUndefined();
});

test('an object replaces what was none', () => {
  expect(statusPatch({ a: null, b: [1] }, { a: { c: 1 }, b: { d: 1 } })).toEqual({ a: { c: 1 }, b: { d: 1 } });
});
