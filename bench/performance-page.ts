import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { chooseInflate } from '../src/formats/inflate.ts';
import { type Bench, type RowResult, renderTable } from './row.ts';

/** What one row of the bench gave. */
export interface RowResults {
  readonly name: string;
  readonly results: readonly RowResult[];
}

/** The table and, below it, what belongs to its rows, with the command that repeats each. */
export function renderRows(rows: readonly RowResults[]): string {
  const notes = rows.flatMap(({ name, results }) => {
    const [first = name, ...more] = new Set(results.map(({ work }) => work));
    const works = more.length === 0 ? first : `${first}, and ${more.length} more`;
    const texts = [...new Set(results.flatMap(({ note }) => note ?? []))];
    return [[`- ${works}, by \`npm run bench -- ${name}\`.`, ...texts].join(' ')];
  });
  return [renderTable(rows.flatMap(({ results }) => results)), '', ...notes].join('\n');
}

/** Machine, programs and date of this run. */
export function describeRun(bench: Bench): string {
  const [cpu] = cpus();
  const [qemu] = execFileSync('qemu-img', ['--version'], { encoding: 'utf8' }).split('\n');
  return [
    new Date().toISOString().slice(0, 10),
    `${bench.pairs} pairs`,
    `${cpus().length} cores (${cpu?.model ?? 'unknown'})`,
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${process.platform} ${release()}`,
    `Node ${process.version}`,
    chooseInflate('libdeflate').implementation,
    qemu?.replace(/ \(.*\)/, '') ?? 'qemu-img',
  ].join(', ');
}

export function renderPage(rows: readonly RowResults[], run: string): string {
  return `# Performance

Made by \`npm run bench\`. Machines are noisy: only ratios from one run count, and each is the median of pairs run in turn, with the lowest and the highest behind it. Rows in memory
(tmpfs, source cached) show what the processor can do; rows on a disk end with everything flushed on both sides. Each rival's disk was compared with ours. \`bench/rows/\` is how each
figure is made.

${run}.

${renderRows(rows)}
`;
}
