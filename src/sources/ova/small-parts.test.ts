import { mkdtemp, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HEAD_BYTES } from '../../ports/image-file.ts';
import { collect } from '../../testing/collect.ts';
import { MemoryImageFile } from '../../testing/memory-image-file.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { ChunkedFile, type ChunkedFileOptions } from './chunked-file.ts';
import { FolderFiles } from './folder-files.ts';
import { GunzippedFile } from './gunzipped-file.ts';
import { attempt, LocalFile } from './local-file.ts';
import { RegionImageFile } from './region-image-file.ts';

const content = Buffer.from(randomBytes(seededRandom(7), 200_000));
const readAll = async (pieces: AsyncIterable<Uint8Array>) => Buffer.concat(await collect(pieces));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-source-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function writeTemporary(name: string, bytes: Uint8Array = content): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

describe('a region of a local file', () => {
  it('reads only within its bounds and tells lanes where it lies', async () => {
    const path = await writeTemporary('region');
    await using file = await LocalFile.open(path);
    const region = new RegionImageFile(file, { name: 'disk.raw', offset: 1000, sizeBytes: 5000 });
    expect(region.origin).toEqual({ file: { path, offset: 1000, sizeBytes: 5000 } });
    expect(Buffer.compare(await region.read(10, 20), content.subarray(1010, 1030))).toBe(0);
    await expect(region.read(4990, 20)).rejects.toMatchObject({ code: 'DiskImageTruncated' });
    expect(Buffer.compare(await region.readHead(), content.subarray(1000, 6000))).toBe(0);
    const seen: number[] = [];
    const part = await readAll(region.stream({ from: 100, to: 9999, observe: (offset) => seen.push(offset) }));
    expect(Buffer.compare(part, content.subarray(1100, 6000))).toBe(0);
    expect(seen).toEqual([100]);
  });

  it('is another one when the file was written, replaced or cut', async () => {
    const path = await writeTemporary('identity');
    await using file = await LocalFile.open(path);
    const region = new RegionImageFile(file, { name: 'disk.raw' });
    expect(await region.readIdentity()).toBe(region.identity);
    await utimes(path, new Date(), new Date(1));
    expect(await region.readIdentity()).not.toBe(region.identity);
    await rename(await writeTemporary('other'), path);
    expect(await region.readIdentity()).not.toBe(region.identity);
    await rm(path);
    await expect(region.readIdentity()).rejects.toMatchObject({ code: 'SourceNotFound' });
  });

  it('says that the file shrank while it was read', async () => {
    const path = await writeTemporary('shrinking');
    await using file = await LocalFile.open(path);
    await truncate(path, 50_000);
    await expect(file.read(40_000, 20_000)).rejects.toMatchObject({
      code: 'SourceChanged',
      message: `${path} ended at byte 50000; it had 200000 bytes when it was opened`,
    });
  });

  it('names what keeps it from opening', async () => {
    await expect(LocalFile.open(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'SourceNotFound' });
    await expect(LocalFile.open(folder)).rejects.toMatchObject({ code: 'SourceKindUnsupported' });
    const path = await writeTemporary('link-target');
    await symlink(path, join(folder, 'link'));
    await expect(LocalFile.open(join(folder, 'link'), { refusesLinks: true })).rejects.toMatchObject({
      code: 'ArchiveMemberUnsafe',
    });
    await using followed = await LocalFile.open(join(folder, 'link'));
    expect(followed.path).toBe(path);
  });

  it.each([
    ['EACCES', 'SourceForbidden'],
    ['EPERM', 'SourceForbidden'],
    ['ENOTDIR', 'SourceNotFound'],
    ['EIO', 'SourceReadFailed'],
    ['ESTALE', 'SourceReadFailed'],
  ])('takes %s for %s', async (code, problem) => {
    const failing = attempt('disk.vmdk', async () => {
      throw Object.assign(new Error('failed'), { code });
    });
    await expect(failing).rejects.toMatchObject({ code: problem, message: `disk.vmdk: ${code}` });
  });
});

describe('a gzip-compressed file', () => {
  const compressed = gzipSync(content);

  it('streams what was compressed and shows the stored bytes to their end', async () => {
    const stored = new MemoryImageFile(compressed, { name: 'disk.raw.gz', pieceBytes: 1000 });
    await using file = new GunzippedFile(stored);
    const seen: Uint8Array[] = [];
    const bytes = await readAll(
      file.stream({
        observe: (offset, piece) => {
          expect(offset).toBe(seen.reduce((sum, each) => sum + each.length, 0));
          seen.push(Uint8Array.from(piece));
        },
      }),
    );
    expect(Buffer.compare(bytes, content)).toBe(0);
    expect(Buffer.compare(Buffer.concat(seen), compressed)).toBe(0);
    expect('read' in file || 'sizeBytes' in file).toBe(false);
    expect(file.identity).toBe(stored.identity);
  });

  it('skips to a place and ends at one', async () => {
    await using file = new GunzippedFile(new MemoryImageFile(compressed));
    const part = await readAll(file.stream({ from: 70_001, to: 150_003 }));
    expect(Buffer.compare(part, content.subarray(70_001, 150_003))).toBe(0);
    expect((await readAll(file.stream({ from: 200_000 }))).length).toBe(0);
  });

  it('shows its head without beginning a stream', async () => {
    const stored = new MemoryImageFile(compressed);
    await using file = new GunzippedFile(stored);
    const head = await file.readHead();
    // The stored head unpacks to slightly less when nothing in it compresses.
    expect(head.length).toBeGreaterThan(HEAD_BYTES - 200);
    expect(Buffer.compare(head, content.subarray(0, head.length))).toBe(0);
    expect(stored.pulled).toBe(0);
    const small = new GunzippedFile(new MemoryImageFile(gzipSync(Buffer.from('small'))));
    expect(Buffer.from(await small.readHead()).toString()).toBe('small');
    const dense = new GunzippedFile(new MemoryImageFile(gzipSync(Buffer.alloc(300_000, 1))));
    expect((await dense.readHead()).length).toBe(HEAD_BYTES);
  });

  it('goes on over several members, and passes over what lies behind them', async () => {
    const two = Buffer.concat([gzipSync(Buffer.from('one')), gzipSync(Buffer.from('two'))]);
    await using file = new GunzippedFile(new MemoryImageFile(two));
    expect((await readAll(file.stream())).toString()).toBe('onetwo');
    let stored = 0;
    await using padded = new GunzippedFile(new MemoryImageFile(Buffer.concat([two, Buffer.alloc(70_000)])));
    const observe = (_: number, bytes: Uint8Array) => {
      stored += bytes.length;
    };
    expect((await readAll(padded.stream({ observe }))).toString()).toBe('onetwo');
    expect(stored).toBe(two.length + 70_000);
  });

  it('names truncation and damage at every length', async () => {
    for (const length of [0, 1, 5, 17, 1000, 100_000, compressed.length - 1]) {
      await using cut = new GunzippedFile(new MemoryImageFile(compressed.subarray(0, length)));
      await expect(readAll(cut.stream())).rejects.toMatchObject({ code: 'DiskImageTruncated' });
    }
    const damaged = Buffer.from(compressed);
    damaged[damaged.length - 5] = 0x55 ^ (damaged[damaged.length - 5] ?? 0);
    await using wrong = new GunzippedFile(new MemoryImageFile(damaged));
    await expect(readAll(wrong.stream())).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    await using garbage = new GunzippedFile(new MemoryImageFile(content));
    await expect(readAll(garbage.stream())).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
    await expect(garbage.readHead()).rejects.toMatchObject({ code: 'DiskImageCorrupt' });
  });

  it('unpacks a bomb only as far as it is asked', async () => {
    const stored = new MemoryImageFile(gzipSync(Buffer.alloc(64 * 2 ** 20)), { pieceBytes: 4096 });
    await using file = new GunzippedFile(stored);
    for await (const piece of file.stream()) {
      expect(piece.length).toBeLessThanOrEqual(256 * 1024);
      break;
    }
    expect(stored.pulled).toBe(1); // of 16
    expect(stored.openStreams).toBe(0);
  });

  it('passes on the problems of the stored file and the reason of an abort', async () => {
    const stored = new MemoryImageFile(compressed, { pieceBytes: 1000 });
    await using file = new GunzippedFile(stored);
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of file.stream({ signal: controller.signal })) controller.abort(new Error('enough'));
    })();
    await expect(reading).rejects.toThrow('enough');
    expect(stored.openStreams).toBe(0);
  });
});

describe('a chunked file', () => {
  const chunkBytes = 30_000;
  const partOf = (index: number) => content.subarray(index * chunkBytes, (index + 1) * chunkBytes);
  const optionsOf = (more: Partial<ChunkedFileOptions> = {}): ChunkedFileOptions => ({
    name: 'disk.raw',
    sizeBytes: content.length,
    chunkBytes,
    openPart: async (index) => new MemoryImageFile(partOf(index), { name: `disk.raw.${index}` }),
    expectedDigests: [],
    hasRanges: true,
    ...more,
  });

  it('reads and streams across the seams', async () => {
    await using file = await ChunkedFile.open(optionsOf(), {});
    expect(
      Buffer.compare((await file.read?.(29_990, 60_020)) ?? new Uint8Array(), content.subarray(29_990, 90_010)),
    ).toBe(0);
    let at = 12_345;
    const observe = (offset: number, bytes: Uint8Array) => {
      expect(offset).toBe(at);
      at += bytes.length;
    };
    const part = await readAll(file.stream({ from: 12_345, to: 199_999, observe }));
    expect(Buffer.compare(part, content.subarray(12_345, 199_999))).toBe(0);
    expect(Buffer.compare(await file.readHead(), content.subarray(0, HEAD_BYTES))).toBe(0);
    await expect(file.read?.(199_999, 2)).rejects.toMatchObject({ code: 'DiskImageTruncated' });
  });

  it('refuses a part that is too short', async () => {
    const openPart = async (index: number) =>
      new MemoryImageFile(index === 3 ? partOf(3).subarray(1) : partOf(index), { name: `part ${index}` });
    await expect(ChunkedFile.open(optionsOf({ openPart }), {})).rejects.toMatchObject({
      code: 'DiskImageTruncated',
      message: 'part 3 has 29999 bytes instead of 30000',
    });
  });

  // It used to ask for the rest for ever.
  it('does not wait for bytes that a part does not give', async () => {
    let isShort = false;
    const openPart = async (index: number) => {
      const part = new MemoryImageFile(partOf(index), { name: `part ${index}` });
      const read = part.read;
      return Object.assign(part, {
        read: async (...call: Parameters<NonNullable<typeof read>>) =>
          isShort ? new Uint8Array(0) : ((await read?.(...call)) ?? new Uint8Array(0)),
      });
    };
    await using file = await ChunkedFile.open(optionsOf({ openPart }), {});
    isShort = true;
    await expect(file.read?.(29_990, 100)).rejects.toMatchObject({
      code: 'DiskImageTruncated',
      message: 'part 0 gave 0 bytes of 10 at byte 29990',
    });
  });

  it('is another one when any part changed', async () => {
    let changed = false;
    const openPart = async (index: number) => {
      const part = new MemoryImageFile(partOf(index));
      if (changed && index === 5) part.identity = 'changed';
      return part;
    };
    await using file = await ChunkedFile.open(optionsOf({ openPart }), {});
    expect(await file.readIdentity()).toBe(file.identity);
    changed = true;
    expect(await file.readIdentity()).not.toBe(file.identity);
  });
});

describe('a folder', () => {
  it('needs exactly one descriptor unless one is named', async () => {
    const path = await mkdtemp(join(folder, 'appliance-'));
    await using empty = await FolderFiles.open(path);
    await expect(empty.readDescriptor({})).rejects.toMatchObject({ code: 'NotAnOva' });
    await writeFile(join(path, 'a.ovf'), 'a');
    expect((await empty.readDescriptor({})).name).toBe('a.ovf');
    await writeFile(join(path, 'b.ovf'), 'b');
    await expect(empty.readDescriptor({})).rejects.toMatchObject({
      code: 'MachineAmbiguous',
      message: `${path} holds 2 descriptors; name one: a.ovf, b.ovf`,
    });
    await using named = await FolderFiles.open(path, 'b.ovf');
    expect(Buffer.from((await named.readDescriptor({})).bytes).toString()).toBe('b');
  });

  it('refuses links at any depth, and finds nothing in folders and missing files', async () => {
    const path = await mkdtemp(join(folder, 'links-'));
    await symlink('/etc', join(path, 'sub'));
    await symlink('/etc/hostname', join(path, 'disk.vmdk'));
    await writeFile(join(path, 'plain'), 'x');
    await using files = await FolderFiles.open(path);
    await expect(files.locate('disk.vmdk')).rejects.toMatchObject({ code: 'ArchiveMemberUnsafe' });
    await expect(files.locate('sub/hostname')).rejects.toMatchObject({ code: 'ArchiveMemberUnsafe' });
    expect(await files.locate('missing')).toBeUndefined();
    expect(await files.locate('plain/below')).toBeUndefined();
    expect(await files.locate('plain')).toEqual({ name: 'plain', sizeBytes: 1 });
  });
});
