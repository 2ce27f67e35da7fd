import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { libc } from '../../src/lib/libc.ts';
import { Corpus } from '../corpus.ts';
import { importDisk, refuseWrongDisk } from '../import-disk.ts';
import { timeCommand } from '../measure.ts';
import { convertByQemu, rivalPath } from '../qemu-rival.ts';
import { type Bench, comparePairs, type Row } from '../row.ts';
import { LARGE_DISK } from '../sizes.ts';
import { requireRoom, stageInMemory } from '../stage.ts';

/** The VMDK from memory to a disk, both sides ending with everything flushed. */
export const diskRow: Row = {
  name: 'disk',
  async *run(bench) {
    const corpus = new Corpus(LARGE_DISK, bench.say);
    const folder = bench.diskFolder;
    const dataBytes = await corpus.dataBytes();
    requireRoom(folder, 2 * dataBytes);
    using vmdk = await stageInMemory(bench, await corpus.image('vmdk'), dataBytes);
    const transfer = { source: vmdk.path, folder, format: 'raw', verify: 'none' } as const;
    const ours = async () => {
      await settle(bench);
      return (await importDisk(bench, transfer)).seconds;
    };
    await refuseWrongDisk(bench, transfer, { path: await corpus.image('raw'), format: 'raw' });

    const data = join(bench.memoryFolder, 'data');
    writeDataAlone(await corpus.image('raw'), data);
    const work = 'VMDK to raw, on a disk';
    const dd = [`if=${data}`, `of=${rivalPath(folder)}`, 'bs=1M', 'conv=fdatasync', 'status=none'];
    yield await comparePairs({
      bench,
      work,
      against: '`dd bs=1M conv=fdatasync` of the same data',
      ours,
      theirs: async () => {
        await settle(bench);
        return await timeCommand('dd', dd);
      },
      by: 'slower',
      reach: 1.2,
      note: `\`dd\` writes ${Math.round(dataBytes / 1e6)} MB that lie ready in memory: the disk is the limit.`,
    });
    rmSync(data);
    yield await comparePairs({
      bench,
      work,
      against: '`qemu-img convert -W` + `sync`',
      ours,
      theirs: async () => {
        await settle(bench);
        const conversion = { source: vmdk.path, from: 'vmdk', to: 'raw', folder } as const;
        const seconds = await convertByQemu(conversion, ['-W']);
        return seconds + (await timeCommand('sync', [rivalPath(folder)]));
      },
      by: 'faster',
    });
    rmSync(rivalPath(folder));
  },
};

/** Nobody pays for writes and removals of the run before. */
export async function settle(bench: Bench): Promise<void> {
  rmSync(rivalPath(bench.diskFolder), { force: true });
  await timeCommand('sync', ['-f', bench.diskFolder]);
}

/** The bytes that are data, without the holes: as many as an import writes. */
function writeDataAlone(sparse: string, path: string): void {
  const from = openSync(sparse, 'r');
  const to = openSync(path, 'w');
  const buffer = Buffer.alloc(2 ** 20);
  try {
    for (let at = libc.seekData(from, 0); at !== undefined; at = libc.seekData(from, at)) {
      const end = libc.seekHole(from, at);
      while (at < end) {
        const bytes = readSync(from, buffer, 0, Math.min(buffer.length, end - at), at);
        writeSync(to, buffer, 0, bytes);
        at += bytes;
      }
    }
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
