import { join } from 'node:path';
import { writeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import { comparePairs, type Row } from '../row.ts';
import { serveFile } from '../serve-file.ts';

const MB = 1_000_000;

/** An OVA behind a server that gives each connection 50 MB/s after 20 ms: many connections beside one. */
export const httpRow: Row = {
  name: 'http',
  async run(bench) {
    const ova = join(bench.memoryFolder, 'http.ova');
    await writeBenchOva(ova, { virtualBytes: 4 * 2 ** 30, dataBytes: 1_300 * MB, disks: 1 }, bench.say);
    using server = await serveFile(ova, { bytesPerSecond: 50 * MB, delayMs: 20 });
    const seconds = async (env: Record<string, string>) => {
      const options = { source: server.url, folder: bench.memoryFolder, format: 'raw', verify: 'none', env } as const;
      return (await importDisk(bench, options)).seconds;
    };
    return [
      await comparePairs({
        bench,
        work: 'OVA over HTTP, 50 MB/s and 20 ms each connection',
        against: 'our own single connection',
        ours: () => seconds({}),
        theirs: () => seconds({ AIRLIFT_CONNECTIONS: '1' }),
        by: 'faster',
        reach: 6,
      }),
    ];
  },
};
