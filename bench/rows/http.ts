import { makeBenchOva } from '../bench-ova.ts';
import { importDisk, refuseWrongDisk } from '../import-disk.ts';
import { comparePairs, type Row } from '../row.ts';
import { serveFile } from '../serve-file.ts';
import { LARGE_DISK } from '../sizes.ts';

const MB = 1_000_000;

/** An OVA behind a server that gives each connection 50 MB/s after 20 ms: many connections beside one. */
export const httpRow: Row = {
  name: 'http',
  async *run(bench) {
    using ova = await makeBenchOva(bench, { name: 'http', ...LARGE_DISK });
    using server = await serveFile(ova.path, { bytesPerSecond: 50 * MB, delayMs: 20 });
    const options = { source: server.url, folder: bench.memoryFolder, format: 'raw', verify: 'none' } as const;
    await refuseWrongDisk(bench, options, { path: ova.raw, format: 'raw' });
    yield await comparePairs({
      bench,
      work: 'OVA over HTTP, 50 MB/s and 20 ms each connection',
      against: 'our own single connection',
      ours: async () => (await importDisk(bench, options)).seconds,
      theirs: async () => (await importDisk(bench, { ...options, env: { AIRLIFT_CONNECTIONS: '1' } })).seconds,
      by: 'faster',
      reach: 6,
      note: `${Math.round(ova.fileSizeBytes / MB)} MB from a server of our own on the same machine, a process by itself; the other side is \`AIRLIFT_CONNECTIONS=1\`.`,
    });
  },
};
