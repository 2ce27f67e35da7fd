import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodePiece } from '../../formats/decode-piece.ts';
import { openQcow2Writer } from '../../formats/qcow2/qcow2-writer.ts';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { nodeStorage } from './node-storage.ts';
import { openImportedDisk } from './open-imported-disk.ts';

describe('openImportedDisk', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'airlift-imported-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('reads a raw disk', async () => {
    await writeFile(join(folder, 'disk-0.raw'), Buffer.alloc(1024, 7));
    await using disk = await openImportedDisk(join(folder, 'disk-0.raw'), 'raw');
    expect(disk).toMatchObject({ format: 'raw', virtualSizeBytes: 1024 });
    expect((await readWholeDisk(disk, decodePiece)).equals(Buffer.alloc(1024, 7))).toBe(true);
    // Lanes read it past the page cache: what the storage holds is the question.
    const file = { path: join(folder, 'disk-0.raw'), offset: 0, sizeBytes: 1024, uncached: true };
    expect(disk.files[0]?.origin).toEqual({ file });
  });

  test('reads a qcow2 disk', async () => {
    const storage = nodeStorage.openFolder(folder);
    const image = await storage.openFile('disk-0.qcow2', { create: true });
    const journal = await storage.openFile('disk-0.journal', { create: true });
    {
      await using writer = await openQcow2Writer({ image, journal, virtualSizeBytes: 200_000, compression: 'zstd' });
      await writer.write(65_536, Buffer.alloc(65_536, 9));
      writer.recordLeaf?.(0, new Uint8Array(0));
      await writer.finish();
    }
    const expected = Buffer.alloc(200_192);
    expected.fill(9, 65_536, 131_072);
    await using filledUp = await openImportedDisk(join(folder, 'disk-0.qcow2'), 'qcow2');
    expect((await readWholeDisk(filledUp, decodePiece)).equals(expected)).toBe(true);
    await using disk = await openImportedDisk(join(folder, 'disk-0.qcow2'), 'qcow2', 200_000);
    expect((await readWholeDisk(disk, decodePiece)).equals(expected.subarray(0, 200_000))).toBe(true);
  });

  test('disposing closes the file, and so does a failure to open', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    await writeFile(join(folder, 'closed.raw'), Buffer.alloc(10));
    const before = descriptors();
    await (await openImportedDisk(join(folder, 'closed.raw'), 'raw'))[Symbol.asyncDispose]();
    await expect(openImportedDisk(join(folder, 'closed.raw'), 'qcow2')).rejects.toMatchObject({ name: 'ProblemError' });
    expect(descriptors()).toBe(before);
  });

  test('names a disk that is not there', async () => {
    await expect(openImportedDisk(join(folder, 'gone.raw'), 'raw')).rejects.toMatchObject({
      code: 'ReportUnusable',
      message: expect.stringContaining('gone.raw'),
    });
  });

  test('names a file that is no qcow2', async () => {
    await writeFile(join(folder, 'other.qcow2'), Buffer.alloc(4096, 1));
    await expect(openImportedDisk(join(folder, 'other.qcow2'), 'qcow2')).rejects.toMatchObject({
      name: 'ProblemError',
    });
  });
});
