import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Measurement, type MeasureOptions, measure, timeCommand } from './measure.ts';
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
  const target = `dir:${out}?format=${format}`;
  try {
    const command = [...args, 'import', source, '--to', target, '--verify', verify, '--yes', ...more];
    return await measure(program, command, rest);
  } finally {
    if (!keeps) rmSync(out, { recursive: true, force: true });
  }
}

/**
 * Imports once and compares the disk with a rival's or with the original: speed is not to be bought with a wrong disk.
 * @throws Error when they differ
 */
export async function refuseWrongDisk(
  bench: Bench,
  options: Omit<ImportOptions, 'keeps' | 'continues'>,
  right: { readonly path: string; readonly format: string },
): Promise<void> {
  await importDisk(bench, { ...options, keeps: true });
  const path = findDisk(options);
  await refuseDifference({ path, format: options.format }, right);
  rmSync(join(options.folder, 'out'), { recursive: true });
  bench.say(`the disk is the same as ${right.path}`);
}

/** @throws Error when there is no finished disk */
export function findDisk(options: { readonly folder: string; readonly format: string }): string {
  const [path] = globSync(join(options.folder, 'out', '*', `disk-0.${options.format}`));
  if (path === undefined) throw new Error(`the import left no disk below ${join(options.folder, 'out')}`);
  return path;
}

interface Image {
  readonly path: string;
  readonly format: string;
}

/** @throws Error when the two disks differ */
export async function refuseDifference(one: Image, other: Image): Promise<void> {
  await timeCommand('qemu-img', ['compare', '-f', one.format, '-F', other.format, one.path, other.path]);
}
