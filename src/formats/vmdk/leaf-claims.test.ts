import { describe, expect, test } from 'vitest';
import { LEAF_BYTES } from '../../domain/digest-layout.ts';
import { LeafClaims } from './leaf-claims.ts';

describe('LeafClaims', () => {
  test('a leaf closes with its last claim; claims may span leaves', () => {
    const claims = new LeafClaims(5 * LEAF_BYTES);
    claims.claim(0, 100);
    claims.claim(200, 100);
    claims.claim(2 * LEAF_BYTES - 1, 2);
    const ledger = claims.open();
    expect([...ledger.unclaimed()]).toEqual([[{ first: 3, count: 2 }]]);
    ledger.settle(200, 100);
    expect(ledger.takeClosed()).toEqual([]);
    ledger.settle(2 * LEAF_BYTES - 1, 2);
    ledger.settle(0, 100);
    expect(ledger.takeClosed()).toEqual([
      { first: 1, count: 2 },
      { first: 0, count: 1 },
    ]);
    expect(ledger.takeClosed()).toEqual([]);
  });

  test('each ledger starts anew', () => {
    const claims = new LeafClaims(1);
    claims.claim(0, 1);
    for (const ledger of [claims.open(), claims.open()]) {
      ledger.settle(0, 1);
      expect(ledger.takeClosed()).toEqual([{ first: 0, count: 1 }]);
    }
  });

  test('what is claimed more often than can be counted stays open', () => {
    const claims = new LeafClaims(1);
    for (let count = 0; count < 70_000; count += 1) claims.claim(0, 1);
    const ledger = claims.open();
    for (let count = 0; count < 70_000; count += 1) ledger.settle(0, 1);
    expect(ledger.takeClosed()).toEqual([]);
  });

  test('lists of empty leaves are bounded', () => {
    const claims = new LeafClaims(20_000 * LEAF_BYTES);
    for (let leaf = 0; leaf < 20_000; leaf += 2) claims.claim(leaf * LEAF_BYTES, 1);
    const lists = [...claims.open().unclaimed()];
    expect(lists.length).toBeGreaterThan(1);
    expect(lists.flat()).toHaveLength(10_000);
  });
});
