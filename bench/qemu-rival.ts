import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { importDisk, refuseWrongDisk } from './import-disk.ts';
import { timeCommand } from './measure.ts';
import { type Bench, comparePairs, type RowResult } from './row.ts';

export interface Conversion {
  readonly source: string;
  readonly from: string;
  readonly to: 'raw' | 'qcow2';
  readonly folder: string;
}

const THREADS = ['1', '8', '16'] as const;
const FLAGS = THREADS.flatMap((threads) => [
  ['-m', threads],
  ['-m', threads, '-W'],
]);
/** By what is converted; sought once in a run of the bench. */
const found = new Map<string, readonly string[]>();

export function rivalPath(folder: string): string {
  return join(folder, 'rival');
}

/** Seconds of one `qemu-img convert`. Its result stays at `rivalPath`. */
export async function convertByQemu(conversion: Conversion, flags: readonly string[]): Promise<number> {
  const { source, from, to, folder } = conversion;
  const out = rivalPath(folder);
  rmSync(out, { force: true });
  return await timeCommand('qemu-img', ['convert', ...flags, '-f', from, '-O', to, source, out]);
}

/** qemu-img's own best options for a piece of work, by one run each. */
export async function findBestFlags(bench: Bench, conversion: Conversion): Promise<readonly string[]> {
  const key = `${conversion.from} ${conversion.to}`;
  const known = found.get(key);
  if (known !== undefined) return known;
  let best: { readonly flags: readonly string[]; readonly seconds: number } | undefined;
  for (const flags of FLAGS) {
    const seconds = await convertByQemu(conversion, flags);
    bench.say(`qemu-img convert ${flags.join(' ')} -O ${conversion.to}: ${seconds.toFixed(2)} s`);
    if (best === undefined || seconds < best.seconds) best = { flags, seconds };
  }
  rmSync(rivalPath(conversion.folder), { force: true });
  const flags = best?.flags ?? [];
  found.set(key, flags);
  return flags;
}

/** Importing in memory beside qemu-img with the options that suit it best, after a comparison of the two disks. */
export async function raceQemu(
  bench: Bench,
  options: {
    readonly work: string;
    readonly source: string;
    readonly from: string;
    readonly to: 'raw' | 'qcow2';
    readonly verify?: 'none' | 'readback';
    readonly reach: number;
    readonly env?: Readonly<Record<string, string>>;
    readonly note?: string | undefined;
  },
): Promise<RowResult> {
  const { work, source, from, to, verify = 'none', reach, env = {}, note } = options;
  const folder = bench.memoryFolder;
  const conversion = { source, from, to, folder } as const;
  const flags = await findBestFlags(bench, conversion);
  const ours = { source, folder, format: to, verify, env } as const;

  await convertByQemu(conversion, flags);
  await refuseWrongDisk(bench, ours, { path: rivalPath(folder), format: to });
  const row = await comparePairs({
    bench,
    work,
    against: ['`qemu-img convert', ...flags, '-O', `${to}\``].join(' '),
    ours: async () => {
      rmSync(rivalPath(folder), { force: true });
      return (await importDisk(bench, ours)).seconds;
    },
    theirs: () => convertByQemu(conversion, flags),
    by: 'faster',
    reach,
    note,
  });
  rmSync(rivalPath(folder), { force: true });
  return row;
}
