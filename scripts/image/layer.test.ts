import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ImageTree } from './image-tree.ts';
import { writeLayer } from './layer.ts';
import { readTar } from './testing/read-tar.ts';
import { scratchFolder } from './testing/scratch-folder.ts';

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const LONG = `opt/${'long-'.repeat(30)}name/file`;

function sampleTree(large: { path: string; sizeBytes: number }, order: readonly number[]): ImageTree {
  const tree = new ImageTree();
  const additions = [
    () => tree.addFile('usr/bin/airlift', '#!/usr/bin/node\n', { mode: 0o755 }),
    () => tree.addFolder('data', { ownerId: 107 }),
    () => tree.addLink('bin', 'usr/bin'),
    () => tree.addFile(LONG, 'far below'),
    () => tree.addFile('usr/bin/node', large, { mode: 0o755 }),
    () => tree.addFile('empty', ''),
  ];
  for (const index of order) additions[index]?.();
  return tree;
}

function largeFile(folder: string): { path: string; sizeBytes: number } {
  const path = join(folder, 'node');
  const bytes = Buffer.alloc(3_000_001, 'node');
  writeFileSync(path, bytes);
  return { path, sizeBytes: bytes.length };
}

describe('writeLayer', () => {
  test('writes what the tree holds, owned by root, under its digest', async () => {
    using folder = scratchFolder();
    const large = largeFile(folder.path);
    const blobs = join(folder.path, 'blobs');
    const layer = await writeLayer(sampleTree(large, [0, 1, 2, 3, 4, 5]), blobs);

    const packed = readFileSync(layer.path);
    expect(layer).toMatchObject({
      digest: sha256(packed),
      sizeBytes: packed.length,
      diffId: sha256(gunzipSync(packed)),
    });
    expect(readdirSync(blobs)).toEqual([layer.digest.replace('sha256:', '')]);
    const members = await readTar(gunzipSync(packed));
    expect([...members.keys()]).toEqual(
      [
        'bin',
        'data/',
        'empty',
        'opt/',
        `${LONG.slice(0, -5)}/`,
        LONG,
        'usr/',
        'usr/bin/',
        'usr/bin/airlift',
        'usr/bin/node',
      ].toSorted(),
    );
    expect(members.get('usr/bin/airlift')?.header).toMatchObject({ mode: 0o755, uid: 0, gid: 0, mtime: new Date(0) });
    expect(members.get('data/')?.header).toMatchObject({ type: 'directory', mode: 0o755, uid: 107, gid: 107 });
    expect(members.get('bin')?.header).toMatchObject({ type: 'symlink', linkname: 'usr/bin' });
    expect(members.get(LONG)?.content.toString()).toBe('far below');
    expect(members.get('usr/bin/node')?.content.equals(readFileSync(large.path))).toBe(true);
  });

  test('the same files make the same layer, in whatever order they were added and whenever they were written', async () => {
    using folder = scratchFolder();
    const large = largeFile(folder.path);
    const first = await writeLayer(sampleTree(large, [0, 1, 2, 3, 4, 5]), join(folder.path, 'a'));
    utimesSync(large.path, new Date(), new Date('2001-01-01'));
    const second = await writeLayer(sampleTree(large, [5, 4, 3, 2, 1, 0]), join(folder.path, 'b'));
    expect(second.digest).toBe(first.digest);
    expect(second.diffId).toBe(first.diffId);
  });

  test('a changed mode makes another layer', async () => {
    using folder = scratchFolder();
    const digests = await Promise.all(
      [0o644, 0o755].map(async (mode) => {
        const tree = new ImageTree();
        tree.addFile('a', 'x', { mode });
        return (await writeLayer(tree, folder.path)).digest;
      }),
    );
    expect(new Set(digests).size).toBe(2);
  });

  test('a file that cannot be read fails the layer and leaves none', async () => {
    using folder = scratchFolder();
    const tree = new ImageTree();
    tree.addFile('a', { path: join(folder.path, 'absent'), sizeBytes: 5 });
    await expect(writeLayer(tree, join(folder.path, 'blobs'))).rejects.toThrow('ENOENT');
    expect(readdirSync(join(folder.path, 'blobs')).filter((name) => !name.startsWith('.'))).toEqual([]);
  });

  test('a file that has another size than was said fails the layer', async () => {
    using folder = scratchFolder();
    const { path } = largeFile(folder.path);
    const tree = new ImageTree();
    tree.addFile('a', { path, sizeBytes: 10 });
    await expect(writeLayer(tree, join(folder.path, 'blobs'))).rejects.toThrow(/size/i);
  });
});
