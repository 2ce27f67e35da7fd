import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { layOutDisk } from './disk-layout.ts';
import { makeTemporaryFolder } from './leftovers.ts';
import { timeCommand } from './measure.ts';

/** Part of the cache's key; another one when the layout changes. */
const LAYOUT = 'usr-2';

export interface DiskSpec {
  readonly virtualBytes: number;
  readonly dataBytes: number;
}

export type CorpusFormat = 'raw' | 'vmdk' | 'qcow2';

const FLAGS: Readonly<Record<CorpusFormat, readonly string[]>> = {
  raw: [],
  vmdk: ['-o', 'subformat=streamOptimized'],
  qcow2: [],
};

/** A disk and its images, kept in the user's cache and built when first asked for. */
export class Corpus {
  readonly spec: DiskSpec;
  readonly #folder: string;
  readonly #say: (line: string) => void;

  constructor(spec: DiskSpec, say: (line: string) => void) {
    const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
    this.spec = spec;
    this.#folder = join(cache, 'airlift', 'bench', `${LAYOUT}-${spec.virtualBytes}-${spec.dataBytes}`);
    this.#say = say;
  }

  /** Path of the disk as a sparse raw file, a streamOptimized VMDK or an uncompressed qcow2. */
  async image(format: CorpusFormat): Promise<string> {
    const path = join(this.#folder, `disk.${format}`);
    if (existsSync(path)) return path;
    const raw = format === 'raw' ? undefined : await this.image('raw');
    mkdirSync(this.#folder, { recursive: true });
    const { virtualBytes, dataBytes } = this.spec;
    const size = `${virtualBytes / 2 ** 30} GiB with ${Math.round(dataBytes / 1e6)} MB of data`;
    this.#say(`building once: ${size}, ${format} (in ${this.#folder})`);
    // Beside its place and renamed: an interrupted build leaves nothing that looks like an image, and two builds do not meet.
    const building = join(makeTemporaryFolder(this.#folder), `disk.${format}`);
    if (raw === undefined) await writeRaw(building, this.spec);
    else await timeCommand('qemu-img', ['convert', '-f', 'raw', '-O', format, ...FLAGS[format], raw, building]);
    renameSync(building, path);
    return path;
  }

  /** Allocated bytes of the disk: what an import writes. */
  async dataBytes(): Promise<number> {
    return statSync(await this.image('raw')).blocks * 512;
  }

  /** Data bytes to one byte of VMDK. */
  async compression(): Promise<number> {
    return (await this.dataBytes()) / statSync(await this.image('vmdk')).size;
  }
}

async function writeRaw(path: string, spec: DiskSpec): Promise<void> {
  await using file = await open(path, 'wx');
  await file.truncate(spec.virtualBytes);
  for (const { offset, bytes } of layOutDisk({ ...spec, folder: '/usr' })) {
    await file.write(bytes, 0, bytes.length, offset);
  }
}
