import { closeSync, openSync, readSync } from 'node:fs';
import { type ElfFile, parseElf } from './elf.ts';
import { ImageError } from './image-error.ts';
import type { FileOnDisk, ImageEntry, ImageTree } from './image-tree.ts';
import type { Platform } from './platforms.ts';

/**
 * Every executable and library of the image is for its platform, and finds the libraries it is linked to. Without a package manager in the image nothing else would tell before a Pod
 * starts, for arm64 on an amd64 machine not even a trial.
 * @returns how many were looked at
 * @throws ImageError naming each that would not start
 */
export function checkLibraries(layers: readonly ImageTree[], platform: Platform): number {
  const files = layers.flatMap((layer) => layer.entries());
  const paths = new Set(files.map(([path]) => path));
  const faults: string[] = [];
  let count = 0;
  for (const [path, entry] of files) {
    const elf = elfOf(entry);
    if (elf === undefined) continue;
    count += 1;
    if (elf.machine !== platform.elfMachine) {
      faults.push(`${path} is for another processor (ELF machine ${elf.machine}, not ${platform.elfMachine})`);
    }
    for (const name of elf.needed) {
      if (!searchPath(platform).some((folder) => paths.has(`${folder}/${name}`))) {
        faults.push(`${path} needs ${name}, which no package of image/packages.lock.json brings`);
      }
    }
    if (elf.interpreter !== undefined && !paths.has(mergedPath(elf.interpreter))) {
      faults.push(`${path} is started by ${elf.interpreter}, which is not in the image`);
    }
  }
  if (faults.length > 0) throw new ImageError(`the image would not start:\n  ${faults.join('\n  ')}`);
  return count;
}

/** Where Debian's dynamic loader looks without a cache of its own. */
function searchPath({ triplet }: Platform): readonly string[] {
  return [`usr/lib/${triplet}`, 'usr/lib', 'usr/lib64'];
}

/** /lib and its like are links into /usr. */
export function mergedPath(path: string): string {
  return path.replace(/^\/+/, '').replace(/^(bin|sbin|lib|lib64)\//, 'usr/$1/');
}

function elfOf(entry: ImageEntry): ElfFile | undefined {
  if (entry.type !== 'file') return undefined;
  const { content } = entry;
  if (!(content instanceof Uint8Array)) return elfOnDisk(content);
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return parseElf(bytes.length, (offset, length) => bytes.subarray(offset, offset + length));
}

function elfOnDisk({ path, sizeBytes }: FileOnDisk): ElfFile | undefined {
  const descriptor = openSync(path, 'r');
  try {
    return parseElf(sizeBytes, (offset, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
    });
  } finally {
    closeSync(descriptor);
  }
}
