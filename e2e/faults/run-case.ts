import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { problems } from '../../src/domain/problems.ts';
import type { CountStorage } from '../../src/testing/faults/faulty-storage.ts';
import { seededRandom } from '../../src/testing/random.ts';
import type { FaultCase } from './fault-cases.ts';
import type { CaseRun, FaultWorld } from './fault-world.ts';

/** Problems that keep what was copied, though no retry cures them (app/import-machine.ts). */
const KEEPS_PARTIAL = ['SourceChanged', 'PlanChanged', 'CheckpointUnusable', 'Interrupted'];

/** What became of a case, for the figures at the end. */
export interface CaseOutcome {
  readonly struck: boolean;
  readonly first: string;
}

/**
 * Runs the import with its fault, then the same command without it. Whatever ends well must have the disk to the byte; whatever does not must name a problem that the fault may
 * be called, and leave what that problem says.
 */
export async function runCase(each: FaultCase, world: FaultWorld, count: CountStorage): Promise<CaseOutcome> {
  const { fault, point } = each;
  fault.inject(world, point, count);
  const first = await world.run();
  fault.undo?.(world);
  world.mend();
  const outcome = { struck: world.hasStruck, first: first.code ?? 'finished' };
  const cutPower = () => world.lossy?.crash(seededRandom(each.name.length));
  if (first.exitCode === 0) {
    const isUnnoticed = fault.mustBeNamed && outcome.struck && point !== 'opening';
    assert.ok(!isUnnoticed, `nobody noticed:\n${first.output}`);
    // What is called finished has to bear a power cut.
    cutPower();
    await expectFinished(each, world, first);
    return outcome;
  }
  await expectNamed(each, world, first);

  cutPower();
  let second = await world.run();
  if (fault.changesIdentity && second.code === 'SourceChanged') second = await world.run('--restart');
  assert.equal(
    second.exitCode,
    0,
    `the same command again does not finish:\n${first.output}\n--- again\n${second.output}`,
  );
  cutPower();
  await expectFinished(each, world, second, first.output);
  return outcome;
}

async function expectNamed({ fault }: FaultCase, world: FaultWorld, { code, output, exitCode }: CaseRun) {
  assert.doesNotMatch(output, /met a situation it should not/, 'a problem is expected, not a bug');
  if (code === undefined) throw new Error(`ended with ${exitCode} without a problem's name:\n${output}`);
  assert.ok(fault.codes.includes(code), `${code} is not among "${fault.codes.join(', ')}":\n${output}`);
  assert.ok(output.replaceAll(/\s+/g, ' ').includes(`-> ${problems[code].remedy}`), `no remedy:\n${output}`);
  assert.ok([1, 3, 4, 130].includes(exitCode), `exit code ${exitCode}:\n${output}`);

  const { target } = world.options;
  const left = (await world.listFolder(world.out)) ?? [];
  const foreign = left.filter((name) => !target.leftovers.test(name));
  assert.deepEqual(foreign, [], `left behind after:\n${output}`);
  const isKept = problems[code].retry !== 'never' || KEEPS_PARTIAL.includes(code);
  assert.ok(isKept || left.length === 0, `${code} leaves ${left.join(', ')}:\n${output}`);
  for (const folder of target.partialFolders(world.out)) {
    const unfinished = (await world.listFolder(folder))?.filter((name) => /^lock|\.new$/.test(name)) ?? [];
    assert.deepEqual(unfinished, [], `somebody seems to work there still:\n${output}`);
  }
}

/** @param before what was printed by the run before this one */
async function expectFinished(
  { fault }: FaultCase,
  world: FaultWorld,
  { output }: CaseRun,
  before = '',
): Promise<void> {
  const { target, sample, folder } = world.options;
  for (const [path, names] of Object.entries(target.finished(world.out))) {
    const there = (await world.listFolder(path)) ?? [];
    // Where the target is at fault, or after a power cut, the rubbish of a finished import may still be there; the next one removes it.
    const isRubbish = (name: string) => fault.isOfTarget === true && target.leftovers.test(name);
    assert.deepEqual(
      there.filter((name) => !isRubbish(name)),
      names.toSorted(),
      output,
    );
  }
  let path = target.diskPath(world.out);
  if (world.lossy !== undefined) {
    const bytes = world.lossy.readWhole(path) ?? new Uint8Array(0);
    path = join(folder, 'disk');
    writeFileSync(path, bytes);
  }
  try {
    target.compare(path, sample);
  } catch (cause) {
    throw new Error(`${String(cause)}\n${before}\n--- then\n${output}`, { cause });
  }
}
