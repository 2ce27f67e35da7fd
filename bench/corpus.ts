import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { randomBytes, seededRandom } from '../src/testing/random.ts';

const MIB = 2 ** 20;
const BLOCK_BYTES = 64 * 1024;
/** Data that does not compress, as media and archives: every so many runs. */
const RANDOM_EVERY = 7;

export interface Corpus {
  /** Sparse raw disk, the original. */
  readonly raw: string;
  readonly vmdk: string;
  /** Not compressed. */
  readonly qcow2: string;
  readonly virtualBytes: number;
  readonly dataBytes: number;
  /** Disk bytes to stored bytes of the VMDK. */
  readonly compression: number;
}

/**
 * A disk like one in use: the files of this machine's /usr in the order of their paths, in runs of 1 to 64 MiB with holes between, and every seventh run incompressible. Built once
 * into the user's cache, by qemu-img.
 */
export async function buildCorpus(
  options: { readonly virtualBytes: number; readonly dataBytes: number },
  say: (line: string) => void,
): Promise<Corpus> {
  const { virtualBytes, dataBytes } = options;
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const folder = join(cache, 'airlift', 'bench', `disk-${virtualBytes}-${dataBytes}`);
  const [raw, vmdk, qcow2] = ['raw', 'vmdk', 'qcow2'].map((suffix) => join(folder, `disk.${suffix}`)) as [
    string,
    string,
    string,
  ];
  if (!existsSync(folder)) {
    say(`building a disk of ${virtualBytes / 2 ** 30} GiB with ${Math.round(dataBytes / 1e6)} MB from /usr, once`);
    const building = `${folder}.new`;
    rmSync(building, { recursive: true, force: true });
    mkdirSync(building, { recursive: true });
    const newRaw = join(building, 'disk.raw');
    await writeDisk(newRaw, virtualBytes, dataBytes);
    for (const [format, ...more] of [['vmdk', '-o', 'subformat=streamOptimized'], ['qcow2']]) {
      const to = join(building, `disk.${format}`);
      execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format ?? '', ...more, newRaw, to]);
    }
    renameSync(building, folder);
  }
  const written = statSync(raw).blocks * 512;
  return { raw, vmdk, qcow2, virtualBytes, dataBytes: written, compression: written / statSync(vmdk).size };
}

async function writeDisk(path: string, virtualBytes: number, dataBytes: number): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(virtualBytes);
  const layout = new RunLayout(virtualBytes, dataBytes);
  while (layout.isOpen) {
    let isAny = false;
    for (const name of filesBelow('/usr')) {
      isAny = true;
      await writeFile(file, name, layout);
      if (!layout.isOpen) break;
    }
    if (!isAny) throw new Error('/usr has no files to build a disk from');
  }
}

async function writeFile(file: FileHandle, name: string, layout: RunLayout): Promise<void> {
  const bytes = readFileSync(name);
  for (let done = 0; done < bytes.length && layout.isOpen; ) {
    const { offset, length, isRandom } = layout.take(bytes.length - done);
    const part = isRandom ? randomBytes(seededRandom(offset), length) : bytes.subarray(done, done + length);
    await file.write(part, 0, part.length, offset);
    if (!isRandom) done += length;
  }
}

/** Where the next bytes go: runs of data, each followed by a hole, spread over the whole disk. */
class RunLayout {
  readonly #dataBytes: number;
  readonly #holeShare: number;
  #written = 0;
  #runs = 0;
  #at = 0;
  #runLeft = MIB;

  constructor(virtualBytes: number, dataBytes: number) {
    this.#dataBytes = dataBytes;
    this.#holeShare = (virtualBytes - dataBytes) / dataBytes;
  }

  get isOpen(): boolean {
    return this.#written < this.#dataBytes;
  }

  take(wanted: number): { offset: number; length: number; isRandom: boolean } {
    const isRandom = this.#runs % RANDOM_EVERY === RANDOM_EVERY - 1;
    const length = Math.min(isRandom ? BLOCK_BYTES : wanted, this.#runLeft, this.#dataBytes - this.#written);
    const offset = this.#at;
    this.#at += length;
    this.#written += length;
    this.#runLeft -= length;
    if (this.#runLeft === 0) {
      this.#runs += 1;
      const end = Math.ceil((this.#written * (1 + this.#holeShare)) / BLOCK_BYTES) * BLOCK_BYTES;
      this.#at = Math.max(Math.ceil(this.#at / BLOCK_BYTES) * BLOCK_BYTES, end);
      this.#runLeft = (1 + ((this.#runs * 23) % 64)) * MIB;
    }
    return { offset, length, isRandom };
  }
}

function* filesBelow(folder: string): Generator<string, void> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile() && statSync(path).size < 2 ** 30) yield path;
  }
}
