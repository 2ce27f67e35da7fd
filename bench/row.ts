import { median } from './measure.ts';

/** One line of the table. */
export interface RowResult {
  readonly work: string;
  readonly against: string;
  readonly ours: string;
  readonly theirs: string;
  readonly ratio: string;
  readonly reach: string;
  readonly isReached: boolean;
  /** Printed below the table. */
  readonly note?: string;
}

export interface Row {
  readonly name: string;
  run(bench: Bench): Promise<RowResult[]>;
}

export interface Bench {
  /** How many pairs each comparison has. */
  readonly pairs: number;
  /** A folder in memory, removed in the end. */
  readonly memoryFolder: string;
  /** A folder on a disk, removed in the end. */
  readonly diskFolder: string;
  /** The built package's command line, as users of the package start it. */
  readonly airlift: readonly [program: string, ...args: string[]];
  say(line: string): void;
}

export interface PairsOptions {
  readonly bench: Bench;
  readonly work: string;
  readonly against: string;
  readonly ours: () => Promise<number>;
  readonly theirs: () => Promise<number>;
  /** `faster`: their time over ours must be at least `reach`. `slower`: our time over theirs must be at most `reach`. */
  readonly by: 'faster' | 'slower';
  readonly reach: number;
  readonly note?: string | undefined;
}

/** Ours and theirs in turn, in seconds; the median of the ratios of the pairs counts. */
export async function comparePairs(options: PairsOptions): Promise<RowResult> {
  const { bench, work, against, by, reach, note } = options;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let pair = 1; pair <= bench.pairs; pair += 1) {
    const one = await options.ours();
    const other = await options.theirs();
    ours.push(one);
    theirs.push(other);
    bench.say(`${work}, pair ${pair}: ${one.toFixed(2)} s, ${against} ${other.toFixed(2)} s`);
  }
  const ratios = ours.map((one, pair) => {
    const other = theirs[pair] ?? 0;
    return by === 'faster' ? other / one : one / other;
  });
  const ratio = median(ratios);
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  return {
    work,
    against,
    ours: `${median(ours).toFixed(2)} s`,
    theirs: `${median(theirs).toFixed(2)} s`,
    ratio: `${ratio.toFixed(2)}x ${by === 'faster' ? 'as fast' : 'the time'} (${spread})`,
    reach: by === 'faster' ? `at least ${reach}x` : `at most ${reach}x`,
    isReached: by === 'faster' ? ratio >= reach : ratio <= reach,
    ...(note === undefined ? {} : { note }),
  };
}

export function renderTable(rows: readonly RowResult[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['Work', 'Against', 'Ours', 'Theirs', 'Ratio', 'To reach', 'Reached']),
    line(Array(7).fill('---')),
    ...rows.map(({ work, against, ours, theirs, ratio, reach, isReached }) =>
      line([work, against, ours, theirs, ratio, reach, isReached ? 'yes' : '**no**']),
    ),
  ].join('\n');
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
