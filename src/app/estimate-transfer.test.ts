import { describe, expect, test } from 'vitest';
import { estimateTransfer, ratesOf } from './estimate-transfer.ts';

const MB = 1_000_000;
const work = { storedBytes: 500 * MB, dataBytes: 1000 * MB };
const rates = { read: 100 * MB, decode: 1000 * MB, hash: 2000 * MB, write: 500 * MB, readBack: 400 * MB };

describe('estimateTransfer', () => {
  test.each([
    ['a slow link', {}, 'read', 5_000, 2_500],
    ['a slow processor', { read: 900 * MB, decode: 100 * MB }, 'decode', 10_000, 2_500],
    ['a slow disk', { read: 900 * MB, write: 50 * MB }, 'write', 20_000, 2_500],
    ['hashing slower than reading back', { hash: 100 * MB }, 'read', 5_000, 10_000],
  ])('with %s', (_name, slower, limitedBy, copyMs, verifyMs) => {
    const estimate = estimateTransfer(work, { ...rates, ...slower });
    expect(estimate).toMatchObject({ limitedBy, copyMs, verifyMs, ms: copyMs + verifyMs });
  });

  test('a target that was not measured is not invented', () => {
    const { write: _, readBack: __, ...source } = rates;
    expect(estimateTransfer(work, source)).toMatchObject({ limitedBy: 'read', copyMs: 5_000, verifyMs: 500 });
  });
});

describe('ratesOf', () => {
  const second = (bytes: number) => ({ bytes, ms: 1_000 });
  const source = { read: second(10), decode: second(300), hash: second(600), lanes: 4, expansion: 2 };

  test('lanes work together, and each unpacks and hashes every byte', () => {
    const told = ratesOf(source, { write: second(7), readBack: { bytes: 16, ms: 2_000 } });
    expect(told).toEqual({ read: 10, decode: expect.closeTo(800), hash: 2400, write: 7, readBack: 8 });
  });

  test('without a target', () => {
    expect(ratesOf(source, undefined)).toEqual({ read: 10, decode: expect.closeTo(800), hash: 2400 });
  });
});
