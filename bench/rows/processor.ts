import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildCorpus, type Corpus } from '../corpus.ts';
import { convertByQemu, findBestFlags, importDisk } from '../import-disk.ts';
import { type Bench, comparePairs, type Row, type RowResult } from '../row.ts';

export const VIRTUAL_BYTES = 8 * 2 ** 30;
export const DATA_BYTES = Number(process.env.AIRLIFT_BENCH_DATA_BYTES ?? 2_700_000_000);

/** Everything in memory, so that the processor is the limit. */
export const processorRow: Row = {
  name: 'processor',
  async run(bench) {
    const corpus = await buildCorpus({ virtualBytes: VIRTUAL_BYTES, dataBytes: DATA_BYTES }, bench.say);
    const vmdk = join(bench.memoryFolder, 'disk.vmdk');
    copyFileSync(corpus.vmdk, vmdk);
    await refuseWrongDisk(bench, vmdk, corpus);
    const note = `The disk is made of the files of /usr: ${corpus.compression.toFixed(2)} bytes of disk to one of VMDK.`;
    const toRaw = await bestOfQemu(bench, vmdk, 'vmdk', 'raw');
    const toQcow2 = await bestOfQemu(bench, vmdk, 'vmdk', 'qcow2');
    const zlib = { AIRLIFT_INFLATE: 'zlib' };
    return [
      await versus(bench, { work: 'VMDK to raw', source: vmdk, format: 'raw', rival: toRaw, reach: 4.5, note }),
      await versus(bench, {
        work: 'VMDK to raw, by zlib',
        source: vmdk,
        format: 'raw',
        rival: toRaw,
        reach: 2.2,
        env: zlib,
      }),
      await versus(bench, {
        work: 'VMDK to raw, verified',
        source: vmdk,
        format: 'raw',
        verify: 'readback',
        rival: toRaw,
        reach: 2.5,
      }),
      await versus(bench, { work: 'VMDK to qcow2', source: vmdk, format: 'qcow2', rival: toQcow2, reach: 3 }),
    ].concat(await qcow2Row(bench, vmdk, corpus));
  },
};

async function qcow2Row(bench: Bench, vmdk: string, corpus: Corpus): Promise<RowResult[]> {
  rmSync(vmdk);
  const qcow2 = join(bench.memoryFolder, 'disk.qcow2');
  copyFileSync(corpus.qcow2, qcow2);
  const rival = await bestOfQemu(bench, qcow2, 'qcow2', 'raw');
  const row = await versus(bench, { work: 'qcow2 to raw', source: qcow2, format: 'raw', rival, reach: 1 });
  rmSync(qcow2);
  return [row];
}

interface Rival {
  readonly name: string;
  run(): Promise<number>;
}

async function bestOfQemu(bench: Bench, source: string, from: string, to: string): Promise<Rival> {
  const work = { source, from, to, folder: bench.memoryFolder };
  const flags = await findBestFlags(bench, work);
  return {
    name: ['`qemu-img convert', ...flags, '-O', `${to}\``].join(' '),
    run: async () => (await convertByQemu(work, flags)).seconds,
  };
}

async function versus(
  bench: Bench,
  options: {
    readonly work: string;
    readonly source: string;
    readonly format: 'raw' | 'qcow2';
    readonly verify?: 'none' | 'readback';
    readonly rival: Rival;
    readonly reach: number;
    readonly env?: Readonly<Record<string, string>>;
    readonly note?: string;
  },
): Promise<RowResult> {
  const { work, source, format, verify = 'none', rival, reach, env = {}, note } = options;
  const ours = () => importDisk(bench, { source, folder: bench.memoryFolder, format, verify, env });
  return await comparePairs({
    bench,
    work,
    against: rival.name,
    ours: async () => (await ours()).seconds,
    theirs: rival.run,
    by: 'faster',
    reach,
    note,
  });
}

/** Speed is not to be bought with a wrong disk. */
async function refuseWrongDisk(bench: Bench, source: string, corpus: Corpus): Promise<void> {
  const folder = bench.memoryFolder;
  for (const format of ['raw', 'qcow2'] as const) {
    await importDisk(bench, { source, folder, format, verify: 'none', keeps: true });
    const [machine = ''] = readdirSync(join(folder, 'out'));
    const disk = join(folder, 'out', machine, `disk-0.${format}`);
    execFileSync('qemu-img', ['compare', '-f', format, '-F', 'raw', disk, corpus.raw], { stdio: 'ignore' });
    rmSync(join(folder, 'out'), { recursive: true });
  }
}
