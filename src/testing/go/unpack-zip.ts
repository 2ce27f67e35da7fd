import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { inflateRawSync } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const END_BYTES = 22;

/**
 * Unpacks a zip archive held in memory (APPNOTE.TXT 4.3; stored and deflated entries, no zip64), leaving out each path's first `strip` parts. Module zips of the Go proxy keep no
 * file modes, so none are set. An entry outside the folder is refused.
 */
export async function unpackZip(zip: Buffer, folder: string, options: { readonly strip?: number } = {}): Promise<void> {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || end + END_BYTES > zip.length || zip.readUInt32LE(end) !== END_OF_DIRECTORY) {
    throw new Error('this is no zip archive: its directory is missing');
  }
  const count = zip.readUInt16LE(end + 10);
  const made = new Set<string>();
  let at = zip.readUInt32LE(end + 16);
  for (let index = 0; index < count; index += 1) {
    const method = zip.readUInt16LE(at + 10);
    const packedBytes = zip.readUInt32LE(at + 20);
    const nameBytes = zip.readUInt16LE(at + 28);
    const header = zip.readUInt32LE(at + 42);
    const name = zip.toString('utf8', at + 46, at + 46 + nameBytes);
    at += 46 + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);

    const parts = name.split('/').slice(options.strip ?? 0);
    if (parts.length === 0 || parts.at(-1) === '') continue;
    const path = join(folder, ...parts);
    if (relative(folder, path).startsWith('..')) throw new Error(`the archive holds a path outside itself: ${name}`);
    // The local header repeats the name, but its extra field may have another length.
    const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
    const packed = zip.subarray(start, start + packedBytes);
    if (method !== 0 && method !== 8) throw new Error(`${name} is packed by method ${method}, not by deflate`);
    if (!made.has(dirname(path))) await mkdir(dirname(path), { recursive: true });
    made.add(dirname(path));
    await writeFile(path, method === 0 ? packed : inflateRawSync(packed));
  }
}
