// Many imports with random faults in one process: what it holds stays what it was. AIRLIFT_SOAK says how many, AIRLIFT_SEED which.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { requireTool } from '../src/testing/require-tool.ts';
import type { SoakSample } from './faults/soak-run.ts';
import { ROOT, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const IMPORTS = Number(process.env.AIRLIFT_SOAK ?? 30);
const SEED = Number(process.env.AIRLIFT_SEED ?? 20261124);
/** Imports before those that count, after which caches, threads, compiled code and the allocator's arenas are what they will be. */
const WARM_UP = 20;
/** The mean of so many: one sample swings by what the allocator happens to give back. */
const MEAN_OF = 5;
const MAX_GROWTH = 24 * MIB;

test.skipIf(!requireTool('qemu-img'))(
  `${IMPORTS} imports with faults, seed ${SEED}, leave the process as it was`,
  () => {
    using folder = temporaryFolder();
    const samples = soak(folder.path);
    expect(samples).toHaveLength(WARM_UP + IMPORTS);
    const warm = samples.slice(WARM_UP);
    const before = meanOf(warm.slice(0, MEAN_OF));
    const after = meanOf(warm.slice(-MEAN_OF));
    const range = (values: readonly number[]) => [...new Set(values)].toSorted((a, b) => a - b).join('/');
    console.log(
      `${IMPORTS} imports, seed ${SEED}: ${toMib(before)} MiB after the warm-up, ${toMib(after)} MiB at the end, ${toMib(Math.max(...warm.map(residentOf)))} MiB at most; ` +
        `descriptors ${range(warm.map(({ descriptors }) => descriptors))}, resources ${range(warm.map(({ resources }) => resources.length))}, ` +
        `files ${range(warm.map(({ files }) => files))}; ${samples.filter(({ first }) => first !== 'finished').length} ended with a problem first`,
    );
    expect(after - before).toBeLessThan(MAX_GROWTH);
    expect(new Set(warm.map(({ descriptors }) => descriptors)).size, 'descriptors').toBe(1);
    expect(new Set(warm.map(({ resources }) => resources.join())).size, 'resources').toBe(1);
    expect(new Set(warm.map(({ files }) => files)).size, 'files').toBe(1);
  },
);

/** Runs them in a process of its own, whose temporary files lie in `folder`. */
function soak(folder: string): SoakSample[] {
  const script = join(ROOT, 'e2e/faults/soak-run.ts');
  const flags = ['--expose-gc', '--disable-warning=ExperimentalWarning'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, script, String(WARM_UP + IMPORTS), String(SEED), folder],
    {
      encoding: 'utf8',
      maxBuffer: 64 * MIB,
      // glibc keeps an arena per thread, which fill up by chance over hundreds of imports: two show sooner what is really held (mallopt(3)).
      env: { ...process.env, TMPDIR: folder, NO_COLOR: '1', MALLOC_ARENA_MAX: '2' },
    },
  );
  expect({ status, stderr }, stdout.slice(-2000)).toEqual({ status: 0, stderr: '' });
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

const residentOf = ({ residentBytes }: SoakSample) => residentBytes;

function meanOf(samples: readonly SoakSample[]): number {
  return samples.reduce((sum, each) => sum + each.residentBytes, 0) / samples.length;
}

function toMib(bytes: number): number {
  return Math.round(bytes / MIB);
}
