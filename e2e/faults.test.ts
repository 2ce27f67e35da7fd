// Faults of sources, targets and time at many places of an import, for every kind of source and target. Each ends with the disk to the byte or a named problem, after which the
// same command finishes. AIRLIFT_FAULTS says how many cases are drawn (`all` for all), AIRLIFT_SEED which.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../src/testing/random.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { allFaultCases, drawFaultCases, type FaultCase } from './faults/fault-cases.ts';
import { listDescriptors, settledDescriptors } from './faults/leftovers.ts';
import { type CaseOutcome, runCase } from './faults/run-case.ts';
import { SourceShelf } from './faults/source-shelf.ts';
import { temporaryFolder } from './support.ts';

const ASKED = process.env.AIRLIFT_FAULTS ?? '100';
const SEED = Number(process.env.AIRLIFT_SEED ?? 20261123);

const all = allFaultCases(SEED);
const cases = ASKED === 'all' ? all : drawFaultCases(all, Number(ASKED), seededRandom(SEED));

describe.skipIf(!requireTool('qemu-img'))(`${cases.length} of ${all.length} faults, seed ${SEED}`, () => {
  let shelf: SourceShelf;
  const outcomes: CaseOutcome[] = [];
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);

  beforeAll(async () => {
    shelf = await SourceShelf.open(SEED);
    process.on('unhandledRejection', note);
  });

  afterAll(() => {
    process.off('unhandledRejection', note);
    shelf[Symbol.dispose]();
    const struck = outcomes.filter((each) => each.struck).length;
    const counts = [...Map.groupBy(outcomes, ({ first }) => first)].map(([name, group]) => `${name} ${group.length}`);
    console.log(`${outcomes.length} faults, seed ${SEED}, ${struck} struck: ${counts.toSorted().join(', ')}`);
  });

  // Not test.each, which shortens names.
  for (const each of cases) test(each.name, () => tryCase(each));

  test('most of them struck, or the places are wrong', () => {
    expect(outcomes.filter((each) => each.struck).length).toBeGreaterThanOrEqual(outcomes.length * 0.85);
  });

  async function tryCase(each: FaultCase): Promise<void> {
    using folder = temporaryFolder();
    const count = await shelf.countOf(each);
    const before = listDescriptors(folder.path);
    {
      await using world = await shelf.openWorld(each, folder.path, each);
      outcomes.push(await runCase(each, world, count));
    }
    const after = await settledDescriptors(
      folder.path,
      (now) => now.below.length === 0 && now.sockets <= before.sockets,
    );
    expect(after.below).toEqual([]);
    expect(after.sockets).toBeLessThanOrEqual(before.sockets);
    expect(listDescriptors(shelf.sample.folder).below, 'files of the source').toEqual([]);
    expect(unhandled.splice(0)).toEqual([]);
  }
});
