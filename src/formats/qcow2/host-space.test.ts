import { describe, expect, test } from 'vitest';
import { HostSpace } from './host-space.ts';

describe('HostSpace', () => {
  test('begins behind what is in use, and never at the header', () => {
    expect(HostSpace.behind(0).takeClusters(1)).toBe(128);
    expect(HostSpace.behind(128).takeClusters(1)).toBe(128);
    expect(HostSpace.behind(129).takeClusters(1)).toBe(256);
  });

  test('compressed clusters lie behind each other and may reach into the next host cluster', () => {
    const space = HostSpace.behind(0);
    expect([100, 100, 50].map((sectors) => space.takeSectors(sectors))).toEqual([128, 228, 328]);
    expect(space.endCluster).toBe(3);
  });

  test('a whole cluster in between makes them begin anew', () => {
    const space = HostSpace.behind(0);
    space.takeSectors(100);
    space.takeClusters(1);
    expect(space.takeSectors(28)).toBe(228);
    expect(space.takeSectors(1)).toBe(3 * 128);
  });

  test('what is asked for ahead lies in one run, though another takes clusters meanwhile', () => {
    const one = HostSpace.behind(0);
    const other = new HostSpace(one.nextCluster);
    expect(one.takeSectors(90, 270)).toBe(128);
    expect(other.takeClusters(2)).toBe(4 * 128);
    expect([one.takeSectors(90, 180), one.takeSectors(90)]).toEqual([218, 308]);
    expect(other.endCluster).toBe(6);
  });

  test('those that share a counter never give out the same cluster', () => {
    const first = HostSpace.behind(0);
    const spaces = [first, new HostSpace(first.nextCluster), new HostSpace(first.nextCluster)];
    const seen = new Set<number>();
    for (let round = 0; round < 300; round += 1) {
      const space = spaces[round % 3] ?? first;
      const isPacked = round % 2 === 0;
      const sectors = isPacked ? 1 + (round % 127) : 128;
      const position = isPacked ? space.takeSectors(sectors) : space.takeClusters(1);
      for (let sector = position; sector < position + sectors; sector += 1) {
        expect(seen.has(sector)).toBe(false);
        seen.add(sector);
      }
    }
  });
});
