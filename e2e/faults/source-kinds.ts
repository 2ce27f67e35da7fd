import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../src/ports/clock.ts';
import type { Source } from '../../src/ports/source.ts';
import type { ApplianceFiles } from '../../src/sources/ova/appliance-files.ts';
import { FolderFiles } from '../../src/sources/ova/folder-files.ts';
import { LocalFile } from '../../src/sources/ova/local-file.ts';
import { makeSource } from '../../src/sources/ova/make-source.ts';
import { RangedArchive } from '../../src/sources/ova/ranged-archive.ts';
import type { ActiveFaults } from '../../src/testing/faults/fault-plan.ts';
import { faultyImageFile, type ImageFault } from '../../src/testing/faults/faulty-image-file.ts';
import { buildOva, buildOvaFiles, type OvaSpec } from '../../src/testing/ova-builder.ts';
import type { FaultSample } from './fault-sample.ts';

/** A way in which the disk of the sample may be given to an import. The machine is called `vm` in all of them. */
export interface SourceKind {
  readonly name: string;
  readonly access: 'local' | 'ranges' | 'forward';
  /** Whether something in it shows that a bit was turned. A plain disk without a manifest cannot. */
  readonly showsFlips: boolean;
  /** Whether it is a disk of which nobody says how long it is, so that a file that claims to be shorter is a shorter disk. */
  readonly saysOwnLength?: boolean;
  /** Whether all its bytes lie in one local file as they are, so that any thread can read them. */
  readonly isInPlace?: boolean;
  /** Writes what is imported into a folder of its own and returns its path. */
  readonly write: (sample: FaultSample, folder: string) => string;
}

const CHUNK_BYTES = 3 * 1024 * 1024;

function specOf(sample: FaultSample, disk: { compression?: 'gzip'; chunkBytes?: number } = {}): OvaSpec {
  const capacityBytes = sample.content.length;
  return {
    machines: [{ id: 'vm', name: 'vm', disks: [{ fileName: 'disk.vmdk', capacityBytes, ...disk }] }],
    contents: { 'disk.vmdk': sample.vmdk },
    manifest: 'sha256',
  };
}

function asFile(name: string, bytesOf: (sample: FaultSample) => Uint8Array): SourceKind['write'] {
  return (sample, folder) => {
    const path = join(folder, name);
    writeFileSync(path, bytesOf(sample));
    return path;
  };
}

const asOva = asFile('app.ova', (sample) => buildOva(specOf(sample)));

export const sourceKinds: readonly SourceKind[] = [
  { name: 'ova', access: 'local', showsFlips: true, isInPlace: true, write: asOva },
  { name: 'vmdk', access: 'local', showsFlips: true, isInPlace: true, write: asFile('vm.vmdk', ({ vmdk }) => vmdk) },
  {
    name: 'qcow2',
    access: 'local',
    showsFlips: false,
    isInPlace: true,
    write: asFile('vm.qcow2', ({ qcow2 }) => qcow2),
  },
  {
    name: 'raw',
    access: 'local',
    isInPlace: true,
    showsFlips: false,
    saysOwnLength: true,
    write: asFile('vm.raw', ({ content }) => content),
  },
  {
    name: 'gzip member',
    access: 'local',
    showsFlips: true,
    write: asFile('app.ova', (sample) => buildOva(specOf(sample, { compression: 'gzip' }))),
  },
  {
    name: 'chunks',
    access: 'local',
    showsFlips: true,
    write: asFile('app.ova', (sample) => buildOva(specOf(sample, { chunkBytes: CHUNK_BYTES }))),
  },
  {
    name: 'folder',
    access: 'local',
    isInPlace: true,
    showsFlips: true,
    write(sample, folder) {
      const path = join(folder, 'appliance');
      mkdirSync(path);
      for (const { name, bytes } of buildOvaFiles(specOf(sample))) writeFileSync(join(path, name), bytes);
      return path;
    },
  },
  { name: 'http', access: 'ranges', showsFlips: true, write: asOva },
  { name: 'http in order', access: 'forward', showsFlips: true, write: asOva },
];

/** The file at the end of the path that holds the disk, and its length. */
export function diskFileOf(path: string): { readonly path: string; readonly bytes: number } {
  const file = statSync(path).isDirectory() ? join(path, 'disk.vmdk') : path;
  return { path: file, bytes: statSync(file).size };
}

/** Opens a local source as the product does, but with every disk file spoilt as planned. */
export async function openSpoiltSource(
  location: string,
  parts: { readonly faults: ActiveFaults<ImageFault>; readonly clock: Clock },
): Promise<Source> {
  const { clock } = parts;
  const done = { findings: [] };
  const isFolder = statSync(location).isDirectory();
  if (isFolder || location.endsWith('.ova')) {
    const files = isFolder
      ? await FolderFiles.open(location)
      : new RangedArchive(await LocalFile.open(location), { hasProof: true });
    return makeSource({ kind: 'appliance', files: spoilt(files, parts) }, location, { location, clock }, done);
  }
  const files = spoilt(await FolderFiles.open(dirname(location)), parts);
  return makeSource({ kind: 'disk', files, fileName: basename(location) }, location, { location, clock }, done);
}

function spoilt(
  files: ApplianceFiles,
  parts: { readonly faults: ActiveFaults<ImageFault>; readonly clock: Clock },
): ApplianceFiles {
  return {
    name: files.name,
    isStreamed: files.isStreamed,
    hasProof: files.hasProof,
    readDescriptor: (options) => files.readDescriptor(options),
    readSmallFile: (name, maxBytes, options) => files.readSmallFile(name, maxBytes, options),
    locate: (path, options) => files.locate(path, options),
    canOpenNow: (located) => files.canOpenNow(located),
    open: async (located, digest, options) => {
      const chunk = Number(/\.(\d{9})$/.exec(located.name)?.[1] ?? 0);
      const file = await files.open(located, digest, options);
      return faultyImageFile(file, { ...parts, countsFrom: chunk * CHUNK_BYTES });
    },
    [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
  };
}

/** What a server has to serve for the source at this path. */
export function servedFile(path: string): Record<string, Uint8Array> {
  return { [`/${basename(path)}`]: readFileSync(path) };
}
