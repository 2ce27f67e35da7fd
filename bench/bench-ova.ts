import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildOvaFiles } from '../src/testing/ova-builder.ts';
import { tarEntryParts } from '../src/testing/ova-tar.ts';
import { Corpus, type DiskSpec } from './corpus.ts';
import type { Bench } from './row.ts';
import { requireRoom } from './stage.ts';

export interface BenchOva extends Disposable {
  readonly path: string;
  readonly fileSizeBytes: number;
  /** The original of each of its disks, sparse raw. */
  readonly raw: string;
}

/**
 * An OVA in memory with a manifest and `disks` equal streamOptimized disks; removed when disposed.
 * @throws Error when memory has no room for it and for what is made of it
 */
export async function makeBenchOva(
  bench: Bench,
  options: DiskSpec & { readonly name: string; readonly disks?: number },
): Promise<BenchOva> {
  const { name, disks = 1, ...spec } = options;
  const corpus = new Corpus(spec, bench.say);
  const bytes = readFileSync(await corpus.image('vmdk'));
  requireRoom(bench.memoryFolder, disks * (bytes.length + (await corpus.dataBytes())));
  const names = Array.from({ length: disks }, (_, index) => `disk${index + 1}.vmdk`);
  const files = buildOvaFiles({
    machines: [{ id: 'bench', disks: names.map((fileName) => ({ fileName, capacityBytes: spec.virtualBytes })) }],
    contents: Object.fromEntries(names.map((each) => [each, bytes])),
    manifest: 'sha256',
  });
  const path = join(bench.memoryFolder, `${name}.ova`);
  const file = openSync(path, 'w');
  try {
    for (const each of files) for (const part of tarEntryParts(each)) writeFileSync(file, part);
    writeFileSync(file, new Uint8Array(1024));
  } finally {
    closeSync(file);
  }
  return {
    path,
    fileSizeBytes: statSync(path).size,
    raw: await corpus.image('raw'),
    [Symbol.dispose]: () => rmSync(path),
  };
}
