import { readFileSync } from 'node:fs';
import { type BenchOva, makeBenchOva } from '../bench-ova.ts';
import { importDisk } from '../import-disk.ts';
import type { Bench, Row, RowResult } from '../row.ts';
import { serveFile } from '../serve-file.ts';
import { scaled } from '../sizes.ts';

const SAMPLE_MS = 10;
const SECONDS = 10;
/** Looked at: from this share of the source to the rest. Starting and ending are no part of a rate. */
const FROM = 0.05;
const TO = 0.95;

interface Sample {
  readonly ms: number;
  readonly readBytes: number;
}

/** `--max-rate` beside what the kernel says that the process read, over 10 seconds. */
export const throttleRow: Row = {
  name: 'throttle',
  async *run(bench) {
    const dataBytes = scaled(1_350_000_000);
    using ova = await makeBenchOva(bench, { name: 'throttle', virtualBytes: 4 * 2 ** 30, dataBytes });
    yield await measureRate(bench, ova, ova.path, 'from a file');
    using server = await serveFile(ova.path);
    yield await measureRate(bench, ova, server.url, 'over HTTP');
  },
};

async function measureRate(bench: Bench, ova: BenchOva, source: string, how: string): Promise<RowResult> {
  const askedMb = Math.floor(((TO - FROM) * ova.fileSizeBytes) / SECONDS / 1e6);
  const samples: Sample[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    await importDisk(bench, {
      source,
      folder: bench.memoryFolder,
      format: 'raw',
      verify: 'none',
      more: ['--max-rate', `${askedMb}MB`],
      onStart: ({ pid }) => {
        timer = setInterval(() => {
          const readBytes = countRead(pid);
          if (readBytes !== undefined) samples.push({ ms: performance.now(), readBytes });
        }, SAMPLE_MS);
      },
    });
  } finally {
    clearInterval(timer);
  }
  const first = samples.find(({ readBytes }) => readBytes >= FROM * ova.fileSizeBytes);
  const last = samples.find(({ readBytes }) => readBytes >= TO * ova.fileSizeBytes);
  if (first === undefined || last === undefined) throw new Error('the process read less than the source');
  const seconds = (last.ms - first.ms) / 1000;
  const rate = (last.readBytes - first.readBytes) / 1e6 / seconds;
  const off = (rate / askedMb - 1) * 100;
  bench.say(`throttle, ${how}: ${rate.toFixed(1)} MB/s of ${askedMb} MB/s over ${seconds.toFixed(1)} s`);
  return {
    work: `\`--max-rate ${askedMb}MB\` ${how}`,
    against: 'the rate asked for',
    ours: `${rate.toFixed(1)} MB/s`,
    theirs: `${askedMb} MB/s`,
    ratio: `${off > 0 ? '+' : ''}${off.toFixed(1)} % over ${seconds.toFixed(1)} s`,
    reach: 'within 5 %',
    isReached: Math.abs(off) <= 5,
    note: `What the process read as the kernel counts it (\`rchar\`), from ${FROM * 100} to ${TO * 100} % of the source.`,
  };
}

/** All that a process and its threads read, by any system call (proc(5)); undefined once it is gone. */
function countRead(pid: number | undefined): number | undefined {
  try {
    return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
  } catch {
    // Ended between two looks.
    return undefined;
  }
}
