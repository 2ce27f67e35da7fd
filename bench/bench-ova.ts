import { readFileSync, writeFileSync } from 'node:fs';
import { buildOva } from '../src/testing/ova-builder.ts';
import { buildCorpus } from './corpus.ts';

/** Writes an OVA with a manifest and `disks` equal streamOptimized disks. Returns its size. */
export async function writeBenchOva(
  path: string,
  options: { readonly virtualBytes: number; readonly dataBytes: number; readonly disks: number },
  say: (line: string) => void,
): Promise<number> {
  const { virtualBytes, dataBytes, disks } = options;
  const { vmdk } = await buildCorpus({ virtualBytes, dataBytes }, say);
  const bytes = readFileSync(vmdk);
  const names = Array.from({ length: disks }, (_, index) => `disk${index + 1}.vmdk`);
  const ova = buildOva({
    machines: [{ id: 'bench', disks: names.map((fileName) => ({ fileName, capacityBytes: virtualBytes })) }],
    contents: Object.fromEntries(names.map((name) => [name, bytes])),
    manifest: 'sha256',
  });
  writeFileSync(path, ova);
  return ova.length;
}
