import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openQcow2Writer } from '../../formats/qcow2/qcow2-writer.ts';
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
    const into = Buffer.alloc(600);
    await disk.read(300, into);
    expect(disk.virtualSizeBytes).toBe(1024);
    expect(into.equals(Buffer.alloc(600, 7))).toBe(true);
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
    await using disk = await openImportedDisk(join(folder, 'disk-0.qcow2'), 'qcow2');
    const into = Buffer.alloc(65_536 + 10);
    await disk.read(65_526, into);
    expect(into.subarray(0, 10).equals(Buffer.alloc(10))).toBe(true);
    expect(into.subarray(10).equals(Buffer.alloc(65_536, 9))).toBe(true);
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
