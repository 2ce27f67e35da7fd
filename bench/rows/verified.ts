import { Corpus } from '../corpus.ts';
import { raceQemu } from '../qemu-rival.ts';
import type { Row } from '../row.ts';
import { LARGE_DISK } from '../sizes.ts';
import { stageInMemory } from '../stage.ts';

/** As `cpu`, with every byte read back and compared by digest; the rival verifies nothing. */
export const verifiedRow: Row = {
  name: 'verified',
  async *run(bench) {
    const corpus = new Corpus(LARGE_DISK, bench.say);
    using vmdk = await stageInMemory(bench, await corpus.image('vmdk'), 2 * (await corpus.dataBytes()));
    yield await raceQemu(bench, {
      work: 'VMDK to raw, verified',
      source: vmdk.path,
      from: 'vmdk',
      to: 'raw',
      verify: 'readback',
      reach: 2.5,
      note: 'As the first row, with SHA-256 of every block and all of it read back; qemu-img verifies nothing.',
    });
  },
};
