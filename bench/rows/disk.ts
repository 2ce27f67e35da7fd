import { closeSync, copyFileSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { libc } from '../../src/lib/libc.ts';
import { buildCorpus } from '../corpus.ts';
import { convertByQemu, importDisk } from '../import-disk.ts';
import { measure } from '../measure.ts';
import { type Bench, comparePairs, type Row } from '../row.ts';
import { DATA_BYTES, VIRTUAL_BYTES } from './processor.ts';

/** Sources in memory, targets on a disk, both sides ending with everything flushed. */
export const diskRow: Row = {
  name: 'disk',
  async run(bench) {
    const corpus = await buildCorpus({ virtualBytes: VIRTUAL_BYTES, dataBytes: DATA_BYTES }, bench.say);
    const folder = bench.diskFolder;
    const vmdk = join(bench.memoryFolder, 'disk.vmdk');
    copyFileSync(corpus.vmdk, vmdk);
    const toDisk = async (source: string) =>
      (await importDisk(bench, { source, folder, format: 'raw', verify: 'none' })).seconds;
    const data = join(bench.memoryFolder, 'data');
    writeDataAlone(corpus.raw, data);

    const rows = [
      await comparePairs({
        bench,
        work: 'VMDK to raw, on a disk',
        against: '`dd conv=fdatasync` of the same bytes',
        ours: () => toDisk(vmdk),
        theirs: () =>
          onDisk(bench, 'dd', (out) => [`if=${data}`, `of=${out}`, 'bs=1M', 'conv=fdatasync', 'status=none']),
        by: 'slower',
        reach: 1.2,
      }),
      await comparePairs({
        bench,
        work: 'VMDK to raw, on a disk',
        against: '`qemu-img convert -W` + `sync`',
        ours: () => toDisk(vmdk),
        theirs: async () => {
          const { seconds } = await convertByQemu({ source: vmdk, from: 'vmdk', to: 'raw', folder }, ['-W']);
          return seconds;
        },
        by: 'faster',
        reach: 1,
      }),
    ];
    rmSync(data);
    rmSync(vmdk);
    const raw = join(bench.memoryFolder, 'disk.raw');
    await run('cp', ['--sparse=always', corpus.raw, raw]);
    rows.push(
      await comparePairs({
        bench,
        work: 'sparse raw to raw, on a disk',
        against: '`cp --sparse=always` + `sync`',
        ours: () => toDisk(raw),
        theirs: async () => {
          const out = join(folder, 'rival');
          const copied = await run('cp', ['--sparse=always', raw, out]);
          const synced = await run('sync', [out]);
          rmSync(out);
          return copied + synced;
        },
        by: 'slower',
        reach: 1.3,
      }),
    );
    rmSync(raw);
    return rows;
  },
};

async function onDisk(bench: Bench, program: string, args: (out: string) => string[]): Promise<number> {
  const out = join(bench.diskFolder, 'rival');
  try {
    return await run(program, args(out));
  } finally {
    rmSync(out, { force: true });
  }
}

async function run(program: string, args: readonly string[]): Promise<number> {
  return (await measure(program, args)).seconds;
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
