import { Corpus } from '../corpus.ts';
import { importDisk, refuseWrongDisk } from '../import-disk.ts';
import { timeCommand } from '../measure.ts';
import { rivalPath } from '../qemu-rival.ts';
import { comparePairs, type Row } from '../row.ts';
import { LARGE_DISK } from '../sizes.ts';
import { requireRoom, stageInMemory } from '../stage.ts';
import { settle } from './disk.ts';

/** Sparse raw from memory to a disk, both sides ending with everything flushed. */
export const sparseRawRow: Row = {
  name: 'sparse-raw',
  async *run(bench) {
    const corpus = new Corpus(LARGE_DISK, bench.say);
    const folder = bench.diskFolder;
    requireRoom(folder, 2 * (await corpus.dataBytes()));
    using raw = await stageInMemory(bench, await corpus.image('raw'), 0);
    const options = { source: raw.path, folder, format: 'raw', verify: 'none' } as const;
    const copy = () => timeCommand('cp', ['--sparse=always', raw.path, rivalPath(folder)]);
    await copy();
    await refuseWrongDisk(bench, options, { path: rivalPath(folder), format: 'raw' });
    yield await comparePairs({
      bench,
      work: 'sparse raw to raw, on a disk',
      against: '`cp --sparse=always` + `sync`',
      ours: async () => {
        await settle(bench);
        return (await importDisk(bench, options)).seconds;
      },
      theirs: async () => {
        await settle(bench);
        const copied = await copy();
        return copied + (await timeCommand('sync', [rivalPath(folder)]));
      },
      by: 'slower',
      reach: 1.3,
    });
    await settle(bench);
  },
};
