import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import { median } from '../measure.ts';
import type { Row } from '../row.ts';

const SAMPLE_MS = 5;

/** From the start of the process to the first byte of the disk on the target. */
export const startRow: Row = {
  name: 'start',
  async *run(bench) {
    using ova = await makeBenchOva(bench, { name: 'start', virtualBytes: 2 ** 28, dataBytes: 30_000_000 });
    const out = join(bench.memoryFolder, 'out');
    const seconds: number[] = [];
    for (let run = 1; run <= bench.pairs; run += 1) {
      const started = performance.now();
      let first: number | undefined;
      const timer = setInterval(() => {
        if (hasBytes(out)) first ??= (performance.now() - started) / 1000;
      }, SAMPLE_MS);
      const options = { source: ova.path, folder: bench.memoryFolder, format: 'raw', verify: 'none' } as const;
      const { seconds: whole } = await importDisk(bench, options);
      clearInterval(timer);
      // Not seen between two looks: it was there at the end.
      seconds.push(first ?? whole);
      bench.say(
        `start, run ${run}: first byte after ${(first ?? whole).toFixed(2)} s, all after ${whole.toFixed(2)} s`,
      );
    }
    const middle = median(seconds);
    yield {
      work: 'start to the first byte written, small OVA',
      against: '-',
      ours: `${middle.toFixed(2)} s`,
      theirs: '-',
      ratio: `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)} s`,
      reach: 'under 1 s',
      isReached: middle < 1,
    };
  },
};

/** Whether the disk, in the folder of an unfinished or a finished import, has storage of its own. */
function hasBytes(out: string): boolean {
  return globSync(['*/machine/disk-0.raw', '*/disk-0.raw'], { cwd: out }).some((path) => {
    try {
      return statSync(join(out, path)).blocks > 0;
    } catch {
      // Moved to its final place between the two looks.
      return false;
    }
  });
}
