import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Measurement, measure, median } from './measure.ts';

const VIRTUAL_BYTES = 8 * 2 ** 30;
const DATA_BYTES = Number(process.env.AIRLIFT_BENCH_DATA_BYTES ?? 2_700_000_000);
const PAIRS = Number(process.env.AIRLIFT_BENCH_PAIRS ?? 5);
const MEMORY_LIMIT = 256 * 2 ** 20;
const GRAIN_BYTES = 64 * 1024;

interface Row {
  readonly name: string;
  readonly ours: Measurement[];
  readonly theirs: Measurement[];
}

/**
 * One streamOptimized VMDK of 8 GiB with about 2.7 GB of half-compressible data, to a sparse raw file, ours and `qemu-img convert` in turn. False when our memory
 * is above its limit; speed is printed, not judged.
 */
export async function benchVmdk(): Promise<boolean> {
  const memoryFolder = '/dev/shm';
  const room = 2.5 * DATA_BYTES;
  const place =
    existsSync(memoryFolder) && statfsSync(memoryFolder).bavail * statfsSync(memoryFolder).bsize > room
      ? memoryFolder
      : tmpdir();
  const folder = mkdtempSync(join(place, 'airlift-bench-'));
  try {
    const image = join(folder, 'disk.vmdk');
    console.log(`building ${image}: 8 GiB with ${Math.round(DATA_BYTES / 1e6)} MB of data`);
    await buildImage(join(folder, 'original.raw'), image);
    const ours = (verify: string) => () => {
      const out = join(folder, 'out');
      const args = [
        '--disable-warning=ExperimentalWarning',
        // As bin/node-binary.js starts it for users.
        '--max-semi-space-size=2',
        'src/main/cli.ts',
        'import',
        image,
        '--to',
        `dir:${out}?format=raw`,
        '--verify',
        verify,
        '--yes',
      ];
      return measure(process.execPath, args).finally(() => rmSync(out, { recursive: true, force: true }));
    };
    const theirs = () => {
      const out = join(folder, 'out.raw');
      return measure('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', image, out]).finally(() =>
        rmSync(out, { force: true }),
      );
    };
    const rows = [
      await compare('to raw, --verify none', ours('none'), theirs),
      await compare('to raw, verified', ours('readback'), theirs),
    ];
    const table = render(rows, place);
    console.log(`\n${table}`);
    if (process.argv.includes('--write')) writeResult(table);
    const peak = Math.max(...rows.flatMap((row) => row.ours.map(({ peakBytes }) => peakBytes)));
    const isSmall = peak < MEMORY_LIMIT;
    console.log(isSmall ? 'memory stays under 256 MiB' : `memory is above 256 MiB: ${mebibytes(peak)}`);
    return isSmall;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compare(
  name: string,
  ours: () => Promise<Measurement>,
  theirs: () => Promise<Measurement>,
): Promise<Row> {
  const row: Row = { name, ours: [], theirs: [] };
  for (let pair = 0; pair < PAIRS; pair += 1) {
    row.ours.push(await ours());
    row.theirs.push(await theirs());
    console.log(
      `${name}, pair ${pair + 1}: ${row.ours.at(-1)?.seconds.toFixed(2)} s, qemu-img ${row.theirs.at(-1)?.seconds.toFixed(2)} s`,
    );
  }
  return row;
}

/** Data in every other stretch of 16 MiB, half of each grain random. */
async function buildImage(raw: string, image: string): Promise<void> {
  {
    await using file = await open(raw, 'w');
    await file.truncate(VIRTUAL_BYTES);
    const grain = Buffer.alloc(GRAIN_BYTES, 'half compressible ');
    const stretch = 16 * 2 ** 20;
    const step = Math.floor((VIRTUAL_BYTES * stretch) / DATA_BYTES / GRAIN_BYTES) * GRAIN_BYTES;
    for (let at = 0, left = DATA_BYTES; left > 0 && at < VIRTUAL_BYTES; at += step) {
      for (let within = 0; within < Math.min(stretch, left); within += GRAIN_BYTES) {
        randomFillSync(grain, 0, GRAIN_BYTES / 2);
        await file.write(grain, 0, GRAIN_BYTES, Math.min(at + within, VIRTUAL_BYTES - GRAIN_BYTES));
      }
      left -= stretch;
    }
  }
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, image]);
  rmSync(raw);
}

function render(rows: readonly Row[], place: string): string {
  const lines = rows.map(({ name, ours, theirs }) => {
    const ratios = ours.map((each, pair) => (theirs[pair]?.seconds ?? 0) / each.seconds);
    const cells = [
      name,
      `${median(ours.map((each) => each.seconds)).toFixed(2)} s`,
      `${median(theirs.map((each) => each.seconds)).toFixed(2)} s`,
      `${median(ratios).toFixed(2)}x (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
      mebibytes(Math.max(...ours.map((each) => each.peakBytes))),
      mebibytes(Math.max(...theirs.map((each) => each.peakBytes))),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `8 GiB streamOptimized VMDK, ${Math.round(DATA_BYTES / 1e6)} MB of data, ${PAIRS} pairs, ${cpus().length} cores, on ${place === tmpdir() ? 'disk' : 'tmpfs'}; medians.`,
    '',
    '| Work | Airlift | qemu-img convert | Speed beside qemu-img | Airlift peak | qemu-img peak |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

function writeResult(table: string): void {
  const path = 'docs/performance.md';
  const marker = '<!-- vmdk -->';
  const [before = ''] = readFileSync(path, 'utf8').split(marker);
  writeFileSync(path, `${before}${marker}\n\n${table}\n`);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
