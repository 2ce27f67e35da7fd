import { type Cipheriv, createCipheriv } from 'node:crypto';
import { accessSync, constants, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../src/testing/random.ts';

const MIB = 2 ** 20;
/** Files begin on blocks of this size, as file systems lay them out; runs and holes do not end on a format's grains. */
const BLOCK_BYTES = 4096;
const MOST_FILE_BYTES = 2 ** 30;
/** Share that does not compress, as media and archives. */
const RANDOM_SHARE = 0.15;

export interface Run {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * A disk like one in use, run by run: the files of a folder in the order of their paths, from the start again when they do not suffice, in runs of 1 to 64 MiB with holes
 * between, 15 % of them incompressible. The same folder gives the same disk. Memory: one run and one file.
 */
export function* layOutDisk(options: {
  readonly virtualBytes: number;
  readonly dataBytes: number;
  readonly folder: string;
}): Generator<Run, void> {
  const { virtualBytes, dataBytes, folder } = options;
  const random = seededRandom(20_261_123);
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const files = repeatFiles(folder);
  let rest: Uint8Array = new Uint8Array(0);
  let randomBytes = 0;
  let offset = 0;
  for (let written = 0; written < dataBytes; ) {
    const length = Math.min(roundUp(MIB * 2 ** (random() * 6)), dataBytes - written);
    const isRandom = randomBytes + length <= RANDOM_SHARE * (written + length);
    const bytes = new Uint8Array(length);
    if (isRandom) {
      bytes.set(takeNoise(noise, length));
      randomBytes += length;
    } else {
      for (let filled = 0; filled < length; ) {
        if (rest.length === 0) rest = files.next().value;
        const part = rest.subarray(0, length - filled);
        bytes.set(part, filled);
        filled = roundUp(filled + part.length);
        rest = rest.subarray(part.length);
      }
    }
    yield { offset, bytes };
    written += length;
    // Holes in proportion, so that the data spreads over the whole disk.
    offset = Math.max(roundUp(offset + length), roundUp((written / dataBytes) * virtualBytes));
  }
}

function takeNoise(noise: Cipheriv, length: number): Uint8Array {
  return noise.update(new Uint8Array(length));
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Never ends. @throws Error when there is no file */
function* repeatFiles(folder: string): Generator<Uint8Array, never> {
  while (true) {
    let isAny = false;
    for (const bytes of filesBelow(folder)) {
      isAny ||= bytes.length > 0;
      yield bytes;
    }
    if (!isAny) throw new Error(`${folder} has no files to build a disk from`);
  }
}

function* filesBelow(folder: string): Generator<Uint8Array, void> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile() && isReadable(path) && statSync(path).size < MOST_FILE_BYTES) yield readFileSync(path);
  }
}

/** Without root a few files below /usr are not. */
function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
