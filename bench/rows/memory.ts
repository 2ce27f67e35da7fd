import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import { type Bench, mebibytes, type Row, type RowResult } from '../row.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const DATA_BYTES = 600_000_000;

interface Case {
  readonly work: string;
  readonly virtualBytes: number;
  readonly dataBytes: number;
  readonly disks?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cpus?: string;
  readonly reach: number;
}

const CASES: readonly Case[] = [
  { work: 'one disk of 1 GiB', virtualBytes: GIB, dataBytes: DATA_BYTES, reach: 256 },
  { work: 'one disk of 1 TiB', virtualBytes: 1024 * GIB, dataBytes: DATA_BYTES, reach: 256 },
  {
    work: 'one disk with 16 lanes',
    virtualBytes: GIB,
    dataBytes: DATA_BYTES,
    env: { AIRLIFT_LANES: '16' },
    reach: 256,
  },
  { work: 'one disk on one processor', virtualBytes: GIB, dataBytes: DATA_BYTES, cpus: '0', reach: 256 },
  { work: 'eight disks at once', virtualBytes: GIB, dataBytes: 200_000_000, disks: 8, reach: 512 },
];

/** Peak memory of the whole process tree, verified imports to qcow2 and raw. */
export const memoryRow: Row = {
  name: 'memory',
  async run(bench) {
    const results: RowResult[] = [];
    for (const each of CASES) results.push(await measureCase(bench, each));
    return results;
  },
};

async function measureCase(bench: Bench, options: Case): Promise<RowResult> {
  const { work, virtualBytes, dataBytes, disks = 1, env = {}, cpus, reach } = options;
  const ova = join(bench.memoryFolder, 'memory.ova');
  await writeBenchOva(ova, { virtualBytes, dataBytes, disks }, bench.say);
  const limited: Bench = cpus === undefined ? bench : { ...bench, airlift: ['taskset', '-c', cpus, ...bench.airlift] };
  const peaks: number[] = [];
  for (const format of ['raw', 'qcow2'] as const) {
    for (let run = 0; run < Math.min(3, bench.pairs); run += 1) {
      const options = { source: ova, folder: bench.memoryFolder, format, verify: 'readback', env } as const;
      const { peakBytes } = await importDisk(limited, options);
      peaks.push(peakBytes);
      bench.say(`memory, ${work}, to ${format}: ${mebibytes(peakBytes)}`);
    }
  }
  rmSync(ova);
  const peak = Math.max(...peaks);
  return {
    work: `peak memory, ${work}`,
    against: '-',
    ours: mebibytes(peak),
    theirs: '-',
    ratio: `${peaks.length} runs, highest`,
    reach: `at most ${reach} MiB`,
    isReached: peak <= reach * MIB,
  };
}
