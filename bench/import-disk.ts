import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Measurement, type MeasureOptions, measure } from './measure.ts';
import type { Bench } from './row.ts';

export interface ImportOptions extends MeasureOptions {
  readonly source: string;
  readonly folder: string;
  readonly format: 'raw' | 'qcow2';
  readonly verify: 'none' | 'readback';
  readonly more?: readonly string[];
  /** Leave the result at `<folder>/out` instead of removing it. */
  readonly keeps?: boolean;
  /** Go on with what an earlier run left there. */
  readonly continues?: boolean;
}

/** One import by the command line. Removing the result is not part of the time. */
export async function importDisk(bench: Bench, options: ImportOptions): Promise<Measurement> {
  const { source, folder, format, verify, more = [], keeps = false, continues = false, ...rest } = options;
  const out = join(folder, 'out');
  if (!continues) rmSync(out, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const [program, ...args] = bench.airlift;
  const command = [
    ...args,
    'import',
    source,
    '--to',
    `dir:${out}?format=${format}`,
    '--verify',
    verify,
    '--yes',
    ...more,
  ];
  try {
    return await measure(program, command, rest);
  } finally {
    if (!keeps) rmSync(out, { recursive: true, force: true });
  }
}

/** One `qemu-img convert`. */
export async function convertByQemu(
  options: { readonly source: string; readonly from: string; readonly to: string; readonly folder: string },
  flags: readonly string[],
): Promise<Measurement> {
  const out = join(options.folder, 'rival');
  rmSync(out, { force: true });
  try {
    return await measure('qemu-img', ['convert', ...flags, '-f', options.from, '-O', options.to, options.source, out]);
  } finally {
    rmSync(out, { force: true });
  }
}

const FLAGS: readonly (readonly string[])[] = [[], ['-W'], ['-m', '1'], ['-m', '16', '-W']];

/** qemu-img's own best options for a piece of work, by one run each. */
export async function findBestFlags(
  bench: Bench,
  options: Parameters<typeof convertByQemu>[0],
): Promise<readonly string[]> {
  let best: { readonly flags: readonly string[]; readonly seconds: number } | undefined;
  for (const flags of FLAGS) {
    const { seconds } = await convertByQemu(options, flags);
    bench.say(`qemu-img convert ${[...flags, '-O', options.to].join(' ')}: ${seconds.toFixed(2)} s`);
    if (best === undefined || seconds < best.seconds) best = { flags, seconds };
  }
  return best?.flags ?? [];
}
