import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchOva, makeBenchOva } from '../bench-ova.ts';
import { findDisk, importDisk, refuseDifference } from '../import-disk.ts';
import { type Bench, mebibytes, type Row } from '../row.ts';
import { serveFile } from '../serve-file.ts';
import { LARGE_DISK } from '../sizes.ts';

const MIB = 2 ** 20;
const SHARES = [0.1, 0.5, 0.9];
/** Each connection; several together still take seconds. */
const BYTES_PER_SECOND = 20_000_000;

/** Bytes that a server sends twice because the process was killed midway. */
export const resumeRow: Row = {
  name: 'resume',
  async *run(bench) {
    using ova = await makeBenchOva(bench, { name: 'resume', ...LARGE_DISK });
    const again: number[] = [];
    for (const format of ['raw', 'qcow2'] as const) {
      const wholeBytes = await countBytes(bench, ova, format);
      for (const share of SHARES) {
        again.push((await countBytes(bench, ova, format, share)) - wholeBytes);
        bench.say(`resume, ${format} killed at ${share * 100} %: ${mebibytes(again.at(-1) ?? 0)} sent again`);
      }
    }
    const most = Math.max(...again);
    const limit = Math.max(64 * MIB, ova.fileSizeBytes / 100);
    yield {
      work: 'bytes sent again after SIGKILL at 10, 50, 90 %',
      against: `${mebibytes(ova.fileSizeBytes)} of source`,
      ours: mebibytes(most),
      theirs: '-',
      ratio: `highest of ${again.length} kills, lowest ${mebibytes(Math.min(...again))}`,
      reach: `at most ${mebibytes(limit)}`,
      isReached: most <= limit,
      note: 'Counted by the server, with what was under way when the process died, and less what an import sends that nobody kills.',
    };
  },
};

/** Bytes that the server sent for one import, killed once when a share of the source was sent. @throws Error when it was over by then, or the disk is wrong */
async function countBytes(bench: Bench, ova: BenchOva, format: 'raw' | 'qcow2', share?: number): Promise<number> {
  const { memoryFolder: folder } = bench;
  using server = await serveFile(ova.path, { bytesPerSecond: BYTES_PER_SECOND });
  const options = { source: server.url, folder, format, verify: 'none', keeps: true } as const;
  rmSync(join(folder, 'out'), { recursive: true, force: true });
  if (share !== undefined) {
    let kill = () => {};
    let isOver = false;
    const killed = importDisk(bench, { ...options, onStart: (child) => (kill = () => child.kill('SIGKILL')) }).then(
      () => true,
      () => false,
    );
    const watched = (async () => {
      while (!isOver && (await server.sentBytes()) < ova.fileSizeBytes * share) await delay(5);
      kill();
    })();
    const hasFinished = await killed;
    isOver = true;
    await watched;
    if (hasFinished) throw new Error(`the import was over before ${share * 100} % were sent`);
  }
  await importDisk(bench, { ...options, continues: true });
  await refuseDifference({ path: findDisk({ folder, format }), format }, { path: ova.raw, format: 'raw' });
  rmSync(join(folder, 'out'), { recursive: true });
  return await server.sentBytes();
}
