import { randomBelow } from '../../src/testing/random.ts';
import type { FaultKind, Point } from './fault-kind.ts';
import { faultKinds } from './fault-kinds.ts';
import { type SourceKind, sourceKinds } from './source-kinds.ts';
import { type TargetKind, targetKinds } from './target-kinds.ts';

export interface FaultCase {
  readonly name: string;
  readonly source: SourceKind;
  readonly target: TargetKind;
  readonly fault: FaultKind;
  readonly point: Point;
  /** The target lies on a storage that forgets, at a power cut after the fault, what was not flushed. */
  readonly losesPower: boolean;
}

/**
 * Each kind of fault at each of its points with every kind of source it fits (faults of the target: with every kind of target, on the real storage and on one that loses power).
 * The other side takes turns, `turn` being the first, because all combinations would be some thousand imports more that differ in nothing the fault can see.
 */
export function allFaultCases(turn: number): FaultCase[] {
  let next = turn;
  const takeTurn = <T>(kinds: readonly T[]): T[] => kinds.slice(next++ % kinds.length).slice(0, 1);
  const withStorage = targetKinds.filter(({ hasStorage }) => hasStorage);
  return faultKinds.flatMap((fault) => {
    const sources = sourceKinds.filter(fault.fits);
    return fault.points.flatMap((point) => {
      const pairs = fault.isOfTarget
        ? withStorage.flatMap((target) => takeTurn(sources).map((source) => ({ source, target })))
        : sources.flatMap((source) => takeTurn(targetKinds).map((target) => ({ source, target })));
      return pairs.flatMap(({ source, target }) =>
        (fault.isOfTarget ? [false, true] : [false]).map((losesPower) => ({
          name: `${fault.name}, ${wordsOf(point)}: ${source.name} to ${target.name}${losesPower ? ', then power is cut' : ''}`,
          ...{ source, target, fault, point, losesPower },
        })),
      );
    });
  });
}

function wordsOf(point: Point): string {
  const words = { opening: 'while it is opened', third: 'at a third', twoThirds: 'at two thirds' };
  return point in words ? words[point as keyof typeof words] : `at the ${point}`;
}

/** So many of them, each kind of fault as often as any other (as far as it goes), chosen by `random`. In the order of the whole list. */
export function drawFaultCases(all: readonly FaultCase[], count: number, random: () => number): FaultCase[] {
  const groups = [...Map.groupBy(all, ({ fault }) => fault).values()].map((group) => shuffled(group, random));
  const chosen = new Set<FaultCase>();
  for (let round = 0; chosen.size < Math.min(count, all.length); round += 1) {
    for (const group of shuffled(groups, random)) {
      const next = group[round];
      if (next !== undefined && chosen.size < count) chosen.add(next);
    }
  }
  return all.filter((each) => chosen.has(each));
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  return items.flatMap(() => left.splice(randomBelow(random, left.length), 1));
}
