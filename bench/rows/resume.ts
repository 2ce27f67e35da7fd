import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import { mebibytes, type Row } from '../row.ts';
import { serveFile } from '../serve-file.ts';

const MIB = 2 ** 20;
const SHARES = [0.1, 0.5, 0.9];

/** Bytes that a server sends twice because the process was killed midway. */
export const resumeRow: Row = {
  name: 'resume',
  async run(bench) {
    const ova = join(bench.memoryFolder, 'resume.ova');
    const sizeBytes = await writeBenchOva(
      ova,
      { virtualBytes: 4 * 2 ** 30, dataBytes: 1_300_000_000, disks: 1 },
      bench.say,
    );
    const twice: number[] = [];
    for (const format of ['raw', 'qcow2'] as const) {
      for (const share of SHARES) {
        using server = await serveFile(ova, { bytesPerSecond: 20_000_000 });
        const options = {
          source: server.url,
          folder: bench.memoryFolder,
          format,
          verify: 'none',
          keeps: true,
        } as const;
        let isOver = false;
        const killed = importDisk(bench, {
          ...options,
          onStart: async (child) => {
            while (!isOver && (await server.sentBytes()) < sizeBytes * share) await delay(5);
            child.kill('SIGKILL');
          },
        });
        await killed.then(
          () => Promise.reject(new Error('the import ended before it was killed')),
          () => {},
        );
        isOver = true;
        await importDisk(bench, { ...options, continues: true });
        rmSync(join(bench.memoryFolder, 'out'), { recursive: true });
        twice.push((await server.sentBytes()) - sizeBytes);
        bench.say(`resume, ${format} killed at ${share * 100} %: ${mebibytes(twice.at(-1) ?? 0)} sent again`);
      }
    }
    rmSync(ova);
    const most = Math.max(...twice);
    const limit = Math.max(64 * MIB, sizeBytes / 100);
    return [
      {
        work: 'bytes sent again after SIGKILL at 10, 50, 90 %',
        against: `${mebibytes(sizeBytes)} of source`,
        ours: mebibytes(most),
        theirs: '-',
        ratio: `${twice.length} kills, highest`,
        reach: `at most ${mebibytes(limit)}`,
        isReached: most <= limit,
      },
    ];
  },
};
