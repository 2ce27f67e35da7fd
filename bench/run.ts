// `npm run bench [row...]`: speed and memory beside named rivals, in pairs, as ratios; writes docs/performance.md when all rows ran. Needs qemu-img and room for 8 GB in memory.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareSystem } from '../scripts/prepare-system.ts';
import { chooseInflate } from '../src/formats/inflate.ts';
import { type Bench, type Row, type RowResult, renderTable } from './row.ts';
import { diskRow } from './rows/disk.ts';
import { httpRow } from './rows/http.ts';
import { memoryRow } from './rows/memory.ts';
import { processorRow } from './rows/processor.ts';
import { resumeRow } from './rows/resume.ts';
import { startRow } from './rows/start.ts';
import { throttleRow } from './rows/throttle.ts';

const ROWS: readonly Row[] = [processorRow, diskRow, httpRow, memoryRow, resumeRow, throttleRow, startRow];
const MEMORY_ROOT = '/dev/shm';
const MEMORY_NEEDED = 8e9;

const root = join(import.meta.dirname, '..');
const names = process.argv.slice(2).filter((each) => !each.startsWith('-'));
const unknown = names.find((name) => !ROWS.some((row) => row.name === name));
if (unknown !== undefined) {
  console.error(`there is no row "${unknown}"; there are ${ROWS.map((row) => row.name).join(', ')}`);
  process.exit(2);
}
if (!existsSync(MEMORY_ROOT) || statfsSync(MEMORY_ROOT).bavail * statfsSync(MEMORY_ROOT).bsize < MEMORY_NEEDED) {
  console.error(`${MEMORY_ROOT} has no room for ${MEMORY_NEEDED / 1e9} GB; figures from a disk would say nothing`);
  process.exit(2);
}
prepareSystem();

const folders = [
  mkdtempSync(join(MEMORY_ROOT, 'airlift-bench-')),
  mkdtempSync(join(process.env.AIRLIFT_BENCH_DISK ?? tmpdir(), 'airlift-bench-')),
] as const;
const cleanUp = () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
};
process.on('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

const bench: Bench = {
  pairs: Number(process.env.AIRLIFT_BENCH_PAIRS ?? 5),
  memoryFolder: folders[0],
  diskFolder: folders[1],
  airlift: [process.execPath, buildPackage()],
  say: (line) => console.log(line),
};
const results: RowResult[] = [];
for (const row of ROWS) if (names.length === 0 || names.includes(row.name)) results.push(...(await row.run(bench)));

const table = renderTable(results);
const notes = results.flatMap(({ work, note }) => (note === undefined ? [] : [`- ${work}: ${note}`]));
console.log(`\n${[table, '', ...notes].join('\n')}`);
if (names.length === 0) writeFileSync(join(root, 'docs', 'performance.md'), renderPage(table, notes));
process.exitCode = results.every(({ isReached }) => isReached) ? 0 : 1;

/** As users of the package get it: compiled once, so that a run measures importing and not compiling. Returns its entry point. */
function buildPackage(): string {
  // Below node_modules, where the dependencies are found from.
  const folder = join(root, 'node_modules', '.cache', 'airlift-bench');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['bin', 'package.json']) cpSync(join(root, name), join(folder, name), { recursive: true });
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
  return join(folder, 'bin', 'airlift.js');
}

function renderPage(rows: string, remarks: readonly string[]): string {
  const [cpu] = cpus();
  return [
    '# Performance',
    '',
    'Made by `npm run bench`. Machines are noisy: only ratios from one run count, and each is the median of pairs run in turn, with the lowest and the highest behind it. Rows in memory',
    '(tmpfs, source cached) show what the processor can do; rows on a disk end with everything flushed on both sides. `bench/rows/` is how each figure is made.',
    '',
    `${new Date().toISOString().slice(0, 10)}: ${bench.pairs} pairs, ${cpus().length} cores (${cpu?.model ?? 'unknown'}), Node ${process.version}, ${chooseInflate().implementation}.`,
    '',
    rows,
    '',
    ...remarks,
    '',
  ].join('\n');
}
