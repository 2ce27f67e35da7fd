import { Corpus } from '../corpus.ts';
import { raceQemu } from '../qemu-rival.ts';
import type { Row } from '../row.ts';
import { LARGE_DISK } from '../sizes.ts';
import { stageInMemory } from '../stage.ts';

/** qcow2, not compressed, to sparse raw in memory: copying with nothing to decode. */
export const fromQcow2Row: Row = {
  name: 'from-qcow2',
  async *run(bench) {
    const corpus = new Corpus(LARGE_DISK, bench.say);
    using qcow2 = await stageInMemory(bench, await corpus.image('qcow2'), 2 * (await corpus.dataBytes()));
    yield await raceQemu(bench, { work: 'qcow2 to raw', source: qcow2.path, from: 'qcow2', to: 'raw', reach: 1 });
  },
};
