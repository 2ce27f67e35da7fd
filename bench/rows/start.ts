import { globSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import { median } from '../measure.ts';
import type { Row } from '../row.ts';

/** From the start of the process to the first byte of the disk on the target. */
export const startRow: Row = {
  name: 'start',
  async run(bench) {
    const ova = join(bench.memoryFolder, 'start.ova');
    await writeBenchOva(ova, { virtualBytes: 2 ** 28, dataBytes: 30_000_000, disks: 1 }, bench.say);
    const seconds: number[] = [];
    for (let run = 0; run < bench.pairs; run += 1) {
      const started = performance.now();
      let firstMs: number | undefined;
      const timer = setInterval(() => {
        const [disk] = globSync(join(bench.memoryFolder, 'out', '*', 'machine', 'disk-0.raw'));
        if (firstMs === undefined && disk !== undefined && hasBytes(disk)) firstMs = performance.now() - started;
      }, 2);
      const options = { source: ova, folder: bench.memoryFolder, format: 'raw', verify: 'none' } as const;
      const { seconds: whole } = await importDisk(bench, options);
      clearInterval(timer);
      seconds.push(firstMs === undefined ? whole : firstMs / 1000);
      bench.say(
        `start, run ${run + 1}: first byte after ${seconds.at(-1)?.toFixed(2)} s, all after ${whole.toFixed(2)} s`,
      );
    }
    rmSync(ova);
    const middle = median(seconds);
    return [
      {
        work: 'start to the first byte written, small OVA',
        against: '-',
        ours: `${middle.toFixed(2)} s`,
        theirs: '-',
        ratio: `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)} s`,
        reach: 'under 1 s',
        isReached: middle < 1,
      },
    ];
  },
};

function hasBytes(path: string): boolean {
  try {
    return statSync(path).blocks > 0;
  } catch {
    // Finished and moved between the two looks.
    return false;
  }
}
