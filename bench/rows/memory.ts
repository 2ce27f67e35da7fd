import { makeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import { type Bench, mebibytes, type Row, type RowResult } from '../row.ts';
import { serveFile } from '../serve-file.ts';
import { scaled } from '../sizes.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const FORMATS = ['raw', 'qcow2'] as const;

interface Case {
  readonly work: string;
  readonly virtualBytes: number;
  readonly disks?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cpus?: string;
  readonly isServed?: boolean;
  readonly reach: number;
}

const ONE = { virtualBytes: GIB, reach: 256 } as const;
const EIGHT = { virtualBytes: GIB, disks: 8, reach: 512 } as const;
const MANY_LANES = { env: { AIRLIFT_LANES: '16' } } as const;
/** The first processor alone. */
const ONE_CPU = { cpus: '0' } as const;

const CASES: readonly Case[] = [
  { ...ONE, work: 'one disk of 1 GiB' },
  { ...ONE, work: 'one disk of 1 TiB', virtualBytes: 1024 * GIB },
  { ...ONE, work: 'one disk of 1 GiB over HTTP', isServed: true },
  { ...ONE, ...MANY_LANES, work: 'one disk, 16 lanes' },
  { ...ONE, ...ONE_CPU, work: 'one disk, one processor' },
  { ...ONE, ...MANY_LANES, ...ONE_CPU, work: 'one disk, 16 lanes, one processor' },
  { ...EIGHT, work: 'eight disks at once' },
  { ...EIGHT, ...MANY_LANES, work: 'eight disks at once, 16 lanes' },
  { ...EIGHT, ...ONE_CPU, work: 'eight disks at once, one processor' },
];

/** Peak memory of the whole process tree, verified imports to both formats; the highest of all runs counts. */
export const memoryRow: Row = {
  name: 'memory',
  async *run(bench) {
    for (const each of CASES) yield await measureCase(bench, each);
  },
};

async function measureCase(bench: Bench, options: Case): Promise<RowResult> {
  const { work, virtualBytes, disks = 1, env = {}, cpus, isServed = false, reach } = options;
  const dataBytes = scaled(disks === 1 ? 600_000_000 : 200_000_000);
  using ova = await makeBenchOva(bench, { name: 'memory', virtualBytes, dataBytes, disks });
  using server = isServed ? await serveFile(ova.path) : undefined;
  const limited: Bench = cpus === undefined ? bench : { ...bench, airlift: ['taskset', '-c', cpus, ...bench.airlift] };
  const peaks: number[] = [];
  for (const format of FORMATS) {
    for (let run = 0; run < Math.min(3, bench.pairs); run += 1) {
      const { peakBytes } = await importDisk(limited, {
        source: server?.url ?? ova.path,
        folder: bench.memoryFolder,
        format,
        verify: 'readback',
        env,
        samplesMemory: true,
      });
      peaks.push(peakBytes);
      bench.say(`memory, ${work}, to ${format}: ${mebibytes(peakBytes)}`);
    }
  }
  const peak = Math.max(...peaks);
  return {
    work: `peak memory, ${work}`,
    against: '-',
    ours: mebibytes(peak),
    theirs: '-',
    ratio: `highest of ${peaks.length} runs, lowest ${mebibytes(Math.min(...peaks))}`,
    reach: `at most ${reach} MiB`,
    isReached: peak <= reach * MIB,
  };
}
