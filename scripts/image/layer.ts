import { createHash, type Hash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Header, type Pack, pack } from 'tar-stream';
import { contentSizeBytes, type ImageEntry, type ImageTree } from './image-tree.ts';

/** A file of the layout, named by its digest. */
export interface Blob {
  /** `sha256:...` */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly path: string;
}

export interface Layer extends Blob {
  /** Digest of the tar archive before it is compressed. */
  readonly diffId: string;
}

/**
 * All files have one time: with the time of the build, or of the last commit, unchanged packages would still make a new layer, and every update would carry all of them.
 */
const MODIFIED = new Date(0);

/**
 * Writes a tree as a compressed tar archive into `folder`. The same tree gives the same bytes with the same Node: entries are sorted, owned by root, and gzip's header has neither
 * name nor time. gzip and not zstd, since every containerd and docker in use reads it.
 */
export async function writeLayer(tree: ImageTree, folder: string): Promise<Layer> {
  await mkdir(folder, { recursive: true });
  const unnamed = join(folder, `.${randomUUID()}`);
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  let sizeBytes = 0;
  const archive = pack();
  const written = pipeline(
    archive,
    passing((bytes) => plain.update(bytes)),
    createGzip({ level: 9 }),
    passing((bytes) => {
      packed.update(bytes);
      sizeBytes += bytes.length;
    }),
    createWriteStream(unnamed),
  );
  await Promise.all([written, packTree(tree, archive)]);
  const digest = asDigest(packed);
  const path = join(folder, digest.slice('sha256:'.length));
  await rename(unnamed, path);
  return { digest, sizeBytes, path, diffId: asDigest(plain) };
}

async function packTree(tree: ImageTree, archive: Pack): Promise<void> {
  try {
    for (const [name, entry] of tree.entries()) await packEntry(archive, name, entry);
    archive.finalize();
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

type HeaderArgument = Partial<Header> & Pick<Header, 'name'>;

async function packEntry(archive: Pack, name: string, entry: ImageEntry): Promise<void> {
  if (entry.type === 'link') {
    return packWhole(archive, { name, type: 'symlink', linkname: entry.to, mode: 0o777 });
  }
  if (entry.type === 'folder') {
    const { mode, ownerId } = entry;
    return packWhole(archive, { name: `${name}/`, type: 'directory', mode, uid: ownerId, gid: ownerId });
  }
  const { mode, content } = entry;
  const header: HeaderArgument = { name, type: 'file', mode, size: contentSizeBytes(content) };
  if (content instanceof Uint8Array) return packWhole(archive, header, content);
  await pipeline(createReadStream(content.path), archive.entry({ ...header, mtime: MODIFIED }));
}

function packWhole(archive: Pack, header: HeaderArgument, content?: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    const whole = { ...header, mtime: MODIFIED };
    if (content === undefined) archive.entry(whole, done);
    else archive.entry(whole, content, done);
  });
}

function passing(look: (bytes: Buffer) => void): Transform {
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      look(bytes);
      done(null, bytes);
    },
  });
}

function asDigest(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`;
}
