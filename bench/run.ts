// `npm run bench [row...]`: speed and memory beside named rivals, in pairs, as ratios. Exit 1 when a figure is not reached. Writes docs/performance.md when all rows ran at full size.
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPackage } from './build-package.ts';
import { makeTemporaryFolder } from './leftovers.ts';
import { describeRun, type RowResults, renderPage, renderRows } from './performance-page.ts';
import type { Bench, Row, RowResult } from './row.ts';
import { cpuRow } from './rows/cpu.ts';
import { diskRow } from './rows/disk.ts';
import { fromQcow2Row } from './rows/from-qcow2.ts';
import { httpRow } from './rows/http.ts';
import { memoryRow } from './rows/memory.ts';
import { resumeRow } from './rows/resume.ts';
import { sparseRawRow } from './rows/sparse-raw.ts';
import { startRow } from './rows/start.ts';
import { throttleRow } from './rows/throttle.ts';
import { toQcow2Row } from './rows/to-qcow2.ts';
import { verifiedRow } from './rows/verified.ts';
import { DATA_BYTES, IS_FULL_SIZE } from './sizes.ts';

const ROWS: readonly Row[] = [
  cpuRow,
  verifiedRow,
  toQcow2Row,
  fromQcow2Row,
  diskRow,
  sparseRawRow,
  httpRow,
  memoryRow,
  resumeRow,
  throttleRow,
  startRow,
];
const MEMORY_ROOT = '/dev/shm';
const TOOLS = ['qemu-img', 'dd', 'cp', 'sync', 'taskset'];
const FULL_PAIRS = 5;
/** With less the rates and shares of the rows make no sense. */
const LEAST_DATA_BYTES = 200_000_000;

const root = join(import.meta.dirname, '..');
const names = process.argv.slice(2);
const unknown = names.find((name) => !ROWS.some((row) => row.name === name));
if (unknown !== undefined) refuse(`there is no row "${unknown}"; there are ${ROWS.map(({ name }) => name).join(', ')}`);
const pairs = Number(process.env.AIRLIFT_BENCH_PAIRS ?? FULL_PAIRS);
if (!(Number.isInteger(pairs) && pairs > 0)) refuse('AIRLIFT_BENCH_PAIRS is a whole number from 1');
if (!(Number.isInteger(DATA_BYTES) && DATA_BYTES >= LEAST_DATA_BYTES)) {
  refuse(`AIRLIFT_BENCH_DATA_BYTES is a whole number from ${LEAST_DATA_BYTES}`);
}
const missing = TOOLS.filter((tool) => spawnSync('which', [tool]).status !== 0);
if (missing.length > 0) refuse(`install first: ${missing.join(', ')} (Debian: qemu-utils, coreutils, util-linux)`);
if (!existsSync(MEMORY_ROOT)) refuse(`there is no ${MEMORY_ROOT}; figures from a disk would say nothing`);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

const bench: Bench = {
  pairs,
  memoryFolder: makeTemporaryFolder(MEMORY_ROOT),
  diskFolder: makeTemporaryFolder(process.env.AIRLIFT_BENCH_DISK ?? tmpdir()),
  airlift: [process.execPath, buildPackage(root, makeTemporaryFolder(tmpdir()))],
  say: (line) => console.log(line),
};
const rows: RowResults[] = [];
for (const row of ROWS) {
  if (names.length === 0 || names.includes(row.name)) rows.push({ name: row.name, results: await runRow(row) });
}
console.log(`\n${renderRows(rows)}`);

if (names.length === 0 && IS_FULL_SIZE && pairs >= FULL_PAIRS) {
  writeFileSync(join(root, 'docs', 'performance.md'), renderPage(rows, describeRun(bench)));
} else {
  console.log('\ndocs/performance.md is left as it is: it takes all rows, at full size, in at least five pairs');
}
const missed = rows.flatMap(({ results }) => results).filter(({ isReached }) => isReached === false);
process.exitCode = missed.length === 0 ? 0 : 1;

/** A row that cannot be run counts as missed and does not keep the others from running. */
async function runRow(row: Row): Promise<RowResult[]> {
  const results: RowResult[] = [];
  try {
    for await (const result of row.run(bench)) results.push(result);
  } catch (cause) {
    console.error(cause);
    const note = `Failed: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}.`;
    const none = { against: '-', ours: '-', theirs: '-', ratio: '-', reach: '-' };
    results.push({ work: row.name, ...none, isReached: false, note });
  }
  return results;
}

function refuse(why: string): never {
  console.error(why);
  process.exit(2);
}
