import { describe, expect, test } from 'vitest';
import { AllocatedClusters } from './allocated-clusters.ts';

const CLUSTER = 65_536;
const GIB = 2 ** 30;

describe('AllocatedClusters', () => {
  test('marks every cluster that a run touches, once', () => {
    const allocated = new AllocatedClusters(10 * CLUSTER);
    allocated.add(CLUSTER - 1, 2);
    allocated.add(CLUSTER, CLUSTER);
    allocated.add(9 * CLUSTER, 0);
    expect(allocated.count).toBe(2);
    expect([0, 1, 2, 9].map((each) => allocated.has(each))).toEqual([true, true, false, false]);
  });

  test('lists tables by their place on the disk, whatever the order in which runs came', () => {
    const allocated = new AllocatedClusters(4 * GIB);
    allocated.add(3 * GIB, 1);
    allocated.add(0, 1);
    allocated.add(GIB + GIB / 2 - 1, 2);
    expect(allocated.tables().map(({ index }) => index)).toEqual([0, 2, 3, 6]);
  });

  test.each([
    [-1, 1],
    [0, 10 * CLUSTER + 1],
    [10 * CLUSTER, 1],
  ])('refuses a run at %i of %i bytes, which leaves the disk', (offset, length) => {
    expect(() => new AllocatedClusters(10 * CLUSTER).add(offset, length)).toThrow(RangeError);
  });
});
