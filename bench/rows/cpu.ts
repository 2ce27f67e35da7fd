import { chooseInflate } from '../../src/formats/inflate.ts';
import { Corpus } from '../corpus.ts';
import { raceQemu } from '../qemu-rival.ts';
import type { Row } from '../row.ts';
import { LARGE_DISK } from '../sizes.ts';
import { stageInMemory } from '../stage.ts';

/** streamOptimized VMDK to sparse raw in memory, where the processor is the limit. */
export const cpuRow: Row = {
  name: 'cpu',
  async *run(bench) {
    const corpus = new Corpus(LARGE_DISK, bench.say);
    // Room for two disks: each is compared with the rival's once.
    using vmdk = await stageInMemory(bench, await corpus.image('vmdk'), 2 * (await corpus.dataBytes()));
    const race = { source: vmdk.path, from: 'vmdk', to: 'raw' } as const;
    const { implementation } = chooseInflate('libdeflate');
    if (implementation !== 'libdeflate') throw new Error('this system has no libdeflate (Debian: libdeflate0)');
    const ratio = (await corpus.compression()).toFixed(2);
    const disk = `8 GiB disk, ${Math.round((await corpus.dataBytes()) / 1e6)} MB of data: the files of this machine's /usr and 15 % incompressible, ${ratio} bytes to one of VMDK.`;
    yield await raceQemu(bench, {
      ...race,
      work: 'VMDK to raw',
      reach: 4.5,
      note: `${disk} Not verified, by libdeflate.`,
    });
    yield await raceQemu(bench, {
      ...race,
      work: 'VMDK to raw, by zlib',
      reach: 2.2,
      env: { AIRLIFT_INFLATE: 'zlib' },
      note: 'The same with `AIRLIFT_INFLATE=zlib`: what a system without libdeflate gets.',
    });
  },
};
