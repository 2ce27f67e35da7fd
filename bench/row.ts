import { median } from './measure.ts';

/** One line of the table. */
export interface RowResult {
  readonly work: string;
  readonly against: string;
  readonly ours: string;
  readonly theirs: string;
  readonly ratio: string;
  readonly reach: string;
  /** Undefined where nothing is to be reached: the figure is only told. */
  readonly isReached: boolean | undefined;
  /** Printed below the table. */
  readonly note?: string;
}

export interface Row {
  /** As `npm run bench -- <name>`. */
  readonly name: string;
  /** Lines come as they are known, so that a failure later loses none. @throws Error where a figure cannot be had, or a disk is wrong */
  run(bench: Bench): AsyncIterable<RowResult>;
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
  /** Seconds. */
  readonly ours: () => Promise<number>;
  /** Seconds. */
  readonly theirs: () => Promise<number>;
  /** `faster`: their time over ours must be at least `reach`. `slower`: our time over theirs must be at most `reach`. */
  readonly by: 'faster' | 'slower';
  /** Absent: only told. */
  readonly reach?: number | undefined;
  readonly note?: string | undefined;
}

/** Ours and theirs in turn; the median of the ratios of the pairs counts. */
export async function comparePairs(options: PairsOptions): Promise<RowResult> {
  const { bench, work, against, by, reach, note } = options;
  const ours: number[] = [];
  const theirs: number[] = [];
  const ratios: number[] = [];
  for (let pair = 1; pair <= bench.pairs; pair += 1) {
    const one = await options.ours();
    const other = await options.theirs();
    ours.push(one);
    theirs.push(other);
    ratios.push(by === 'faster' ? other / one : one / other);
    bench.say(`${work}, pair ${pair}: ${one.toFixed(2)} s, ${against} ${other.toFixed(2)} s, ${tell(ratios.at(-1))}`);
  }
  const ratio = median(ratios);
  const limit = by === 'faster' ? 'at least' : 'at most';
  return {
    work,
    against,
    ours: `${median(ours).toFixed(2)} s`,
    theirs: `${median(theirs).toFixed(2)} s`,
    ratio: `${tell(ratio)} ${by === 'faster' ? 'as fast' : 'the time'} (${tell(Math.min(...ratios))} to ${tell(Math.max(...ratios))})`,
    reach: reach === undefined ? 'told only' : `${limit} ${reach}x`,
    isReached: reach === undefined ? undefined : by === 'faster' ? ratio >= reach : ratio <= reach,
    ...(note === undefined ? {} : { note }),
  };
}

function tell(ratio: number | undefined): string {
  return `${(ratio ?? 0).toFixed(2)}x`;
}

export function renderTable(rows: readonly RowResult[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['Work', 'Against', 'Ours', 'Theirs', 'Ratio', 'To reach', 'Reached']),
    line(Array(7).fill('---')),
    ...rows.map(({ work, against, ours, theirs, ratio, reach, isReached }) =>
      line([work, against, ours, theirs, ratio, reach, isReached === undefined ? '-' : isReached ? 'yes' : '**no**']),
    ),
  ].join('\n');
}

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
