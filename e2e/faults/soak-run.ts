// Imports with random faults, one after the other in this process: `node --expose-gc soak-run.ts <imports> <seed> <folder>`. Prints one line of JSON per import. Started by
// e2e/soak.test.ts, in a process of its own because a test runner's memory would be counted with ours.
import { readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { seededRandom } from '../../src/testing/random.ts';
import { temporaryFolder } from '../support.ts';
import { allFaultCases, drawFaultCases } from './fault-cases.ts';
import { listDescriptors, settledDescriptors } from './leftovers.ts';
import { runCase } from './run-case.ts';
import { sourceKinds } from './source-kinds.ts';
import { SourceShelf } from './source-shelf.ts';
import { targetKinds } from './target-kinds.ts';

/** What the process holds after an import, when everything that may go is gone. */
export interface SoakSample {
  readonly name: string;
  readonly first: string;
  readonly residentBytes: number;
  readonly descriptors: number;
  /** Timers, sockets and the like that are under way, by name. */
  readonly resources: readonly string[];
  /** Of the folder for temporary files. */
  readonly files: number;
}

const [imports = '30', seedText = '1', folder = ''] = process.argv.slice(2);
const seed = Number(seedText);
const { gc } = globalThis;
if (gc === undefined) throw new Error('start this with --expose-gc');

using shelf = await SourceShelf.open(seed);
const random = seededRandom(seed);
// A storage that lives in memory would be measured as ours.
const real = allFaultCases(seed).filter(({ losesPower }) => !losesPower);
// Every pair of source and target once without a fault: what a kind of import needs for the first time is no growth.
for (const source of sourceKinds) for (const target of targetKinds) await shelf.countOf({ source, target });
const socketsBefore = listDescriptors(folder).sockets;
let queue: typeof real = [];
for (let index = 0; index < Number(imports); index += 1) {
  // All kinds of faults come by before any comes again.
  if (queue.length === 0) queue = shuffled(drawFaultCases(real, 60, random));
  const each = queue.pop();
  if (each === undefined) break;
  const count = await shelf.countOf(each);
  const outcome = await runInFolder();
  console.log(JSON.stringify(await takeSample(each.name, outcome)));

  async function runInFolder(): Promise<string> {
    using own = temporaryFolder();
    if (each === undefined) return '';
    await using world = await shelf.openWorld(each, own.path);
    return (await runCase(each, world, count)).first;
  }
}

async function takeSample(name: string, first: string): Promise<SoakSample> {
  await settledDescriptors(folder, ({ sockets }) => sockets <= socketsBefore);
  for (let round = 0; round < 3; round += 1) {
    gc?.();
    await nextTurn();
  }
  return {
    name,
    first,
    residentBytes: process.memoryUsage.rss(),
    descriptors: readdirSync('/proc/self/fd').length,
    resources: process.getActiveResourcesInfo().toSorted(),
    files: readdirSync(folder, { recursive: true }).length,
  };
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
