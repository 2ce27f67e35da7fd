import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { buildOvf, type OvfMachineSpec } from './ova-descriptor.ts';
import { buildTar, type TarEntry } from './ova-tar.ts';

export { buildOvf, type OvfDiskSpec, type OvfMachineSpec, type OvfNicSpec, type OvfSpec } from './ova-descriptor.ts';
export { buildTar, type TarEntry } from './ova-tar.ts';

export interface OvaSpec {
  /** Base name of descriptor, manifest and certificate; `appliance` unless given. */
  readonly name?: string;
  readonly machines: readonly OvfMachineSpec[];
  /** Contents of the disks' files by file name, before compression and chunking. A file that is not given is missing from the archive. */
  readonly contents: Readonly<Record<string, Uint8Array>>;
  /** Absent: no manifest. */
  readonly manifest?: 'sha1' | 'sha256' | 'sha512';
  /** Files whose digest in the manifest shall be wrong. */
  readonly wrongDigests?: readonly string[];
  /** Files that the manifest shall not mention. */
  readonly unlisted?: readonly string[];
  /** Makes the content of the .cert from the manifest. */
  readonly sign?: (manifest: Uint8Array, manifestName: string) => Uint8Array;
  /** Members in this order; those not named follow in the usual one (descriptor, manifest, certificate, files). */
  readonly order?: readonly string[];
  readonly tarFormat?: TarEntry['format'];
  /** Replaces the descriptor. */
  readonly ovf?: string;
}

export interface OvaFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The files of an OVA as they would lie in a folder, in member order. */
export function buildOvaFiles(spec: OvaSpec): OvaFile[] {
  const base = spec.name ?? 'appliance';
  const disks = spec.machines.flatMap((machine) => machine.disks ?? []).filter((disk) => disk.fileName !== undefined);
  const stored = new Map<string, Uint8Array>();
  const data: OvaFile[] = [];
  for (const disk of disks) {
    const fileName = disk.fileName ?? '';
    const content = spec.contents[fileName];
    if (content === undefined || stored.has(fileName)) continue;
    const bytes = disk.compression === 'gzip' ? gzipSync(content) : content;
    stored.set(fileName, bytes);
    data.push(...splitIntoChunks(fileName, bytes, disk.chunkBytes));
  }

  const ovf = spec.ovf ?? buildOvf({ machines: spec.machines, fileSizes: sizesOf(stored) });
  const descriptor = { name: `${base}.ovf`, bytes: Buffer.from(ovf) };
  const files: OvaFile[] = [descriptor];
  if (spec.manifest) {
    const bytes = buildManifest([descriptor, ...data], spec.manifest, spec);
    const manifestName = `${base}.mf`;
    files.push({ name: manifestName, bytes });
    if (spec.sign) files.push({ name: `${base}.cert`, bytes: spec.sign(bytes, manifestName) });
  }
  files.push(...data);
  return inOrder(files, spec.order ?? []);
}

export function buildOva(spec: OvaSpec): Uint8Array {
  const format = spec.tarFormat ?? 'ustar';
  return buildTar(buildOvaFiles(spec).map(({ name, bytes }) => ({ name, bytes, format })));
}

function sizesOf(stored: ReadonlyMap<string, Uint8Array>): Record<string, number> {
  return Object.fromEntries([...stored].map(([name, bytes]) => [name, bytes.length]));
}

function splitIntoChunks(name: string, bytes: Uint8Array, chunkBytes: number | undefined): OvaFile[] {
  if (chunkBytes === undefined) return [{ name, bytes }];
  const chunks: OvaFile[] = [];
  for (let from = 0; from < Math.max(1, bytes.length); from += chunkBytes) {
    const part = String(chunks.length).padStart(9, '0');
    chunks.push({ name: `${name}.${part}`, bytes: bytes.subarray(from, from + chunkBytes) });
  }
  return chunks;
}

function buildManifest(files: readonly OvaFile[], algorithm: 'sha1' | 'sha256' | 'sha512', spec: OvaSpec): Buffer {
  const lines = files
    .filter((file) => !spec.unlisted?.includes(file.name))
    .map((file) => {
      const digest = createHash(algorithm).update(file.bytes);
      if (spec.wrongDigests?.includes(file.name)) digest.update('changed');
      return `${algorithm.toUpperCase()}(${file.name})= ${digest.digest('hex')}\n`;
    });
  return Buffer.from(lines.join(''));
}

function inOrder(files: readonly OvaFile[], order: readonly string[]): OvaFile[] {
  const first = order.flatMap((name) => files.filter((file) => file.name === name));
  return [...first, ...files.filter((file) => !order.includes(file.name))];
}
