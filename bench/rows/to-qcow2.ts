import { Corpus } from '../corpus.ts';
import { raceQemu } from '../qemu-rival.ts';
import type { Row } from '../row.ts';
import { LARGE_DISK } from '../sizes.ts';
import { stageInMemory } from '../stage.ts';

/** streamOptimized VMDK to qcow2 in memory. */
export const toQcow2Row: Row = {
  name: 'to-qcow2',
  async *run(bench) {
    const corpus = new Corpus(LARGE_DISK, bench.say);
    using vmdk = await stageInMemory(bench, await corpus.image('vmdk'), 2 * (await corpus.dataBytes()));
    yield await raceQemu(bench, { work: 'VMDK to qcow2', source: vmdk.path, from: 'vmdk', to: 'qcow2', reach: 3 });
  },
};
