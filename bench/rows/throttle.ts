import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import type { Row } from '../row.ts';

const SECONDS = 10;

/** `--max-rate` beside what was asked for, over 10 seconds of a local OVA. */
export const throttleRow: Row = {
  name: 'throttle',
  async run(bench) {
    const ova = join(bench.memoryFolder, 'throttle.ova');
    const sizeBytes = await writeBenchOva(
      ova,
      { virtualBytes: 4 * 2 ** 30, dataBytes: 1_300_000_000, disks: 1 },
      bench.say,
    );
    const asked = Math.round(sizeBytes / SECONDS / 1e6);
    const options = { source: ova, folder: bench.memoryFolder, format: 'raw', verify: 'none' } as const;
    const unlimited = await importDisk(bench, options);
    const limited = await importDisk(bench, { ...options, more: ['--max-rate', `${asked}MB`] });
    rmSync(ova);
    // Starting and ending take their time with and without a limit.
    const startSeconds = Math.min(unlimited.seconds, 0.5);
    const rate = sizeBytes / 1e6 / (limited.seconds - startSeconds);
    const off = rate / asked - 1;
    return [
      {
        work: `--max-rate ${asked}MB, ${SECONDS} s`,
        against: 'the rate asked for',
        ours: `${rate.toFixed(1)} MB/s`,
        theirs: `${asked} MB/s`,
        ratio: `${(off * 100).toFixed(1)} % off`,
        reach: 'within 5 %',
        isReached: Math.abs(off) <= 0.05,
        note: `Of the time with a limit ${startSeconds.toFixed(1)} s are taken off for starting and ending.`,
      },
    ];
  },
};
