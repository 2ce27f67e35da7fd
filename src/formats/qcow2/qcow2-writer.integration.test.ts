import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiskWriter } from '../../ports/disk-writer.ts';
import type { StorageFile } from '../../ports/storage.ts';
import { randomBelow, randomBytes, seededRandom } from '../../testing/random.ts';
import { requireTool } from '../../testing/require-tool.ts';
import type { Compression } from './journal-record.ts';
import { openQcow2Writer } from './qcow2-writer.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BLOCK = 65_536;
const compressions: Compression[] = ['none', 'zstd'];
const hasTools = requireTool('qemu-img');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-qcow2-writer-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const qemuImg = (...args: string[]) => execFileSync('qemu-img', args, { cwd: folder, stdio: 'pipe' }).toString();

async function localFile(name: string): Promise<StorageFile> {
  const handle = await open(join(folder, name), 'w+');
  return {
    name,
    write: async (offset, bytes) => void (await handle.write(bytes, 0, bytes.length, offset)),
    read: async (offset, into) => (await handle.read(into, 0, into.length, offset)).bytesRead,
    truncate: (size) => handle.truncate(size),
    sizeBytes: async () => (await handle.stat()).size,
    allocatedBytes: async () => (await handle.stat()).blocks * 512,
    sync: () => handle.datasync(),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function writeImage(size: number, compression: Compression, fill: (writer: DiskWriter) => Promise<void>) {
  const [image, journal] = [await localFile('out.qcow2'), await localFile('out.journal')];
  await using writer = await openQcow2Writer({ image, journal, virtualSizeBytes: size, compression });
  await fill(writer);
  await writer.finish();
}

function expectClean(): void {
  const check = JSON.parse(qemuImg('check', '--output', 'json', 'out.qcow2'));
  expect(check).toMatchObject({ 'check-errors': 0 });
  expect(check.leaks ?? 0).toBe(0);
  expect(check.corruptions ?? 0).toBe(0);
}

describe.skipIf(!hasTools).each(compressions)('openQcow2Writer as QEMU sees it, compression %s', (compression) => {
  test.each([0, 512, 1000, MIB, MIB + 77, 64 * MIB, 8 * GIB])('a disk of %i bytes', async (size) => {
    await rm(join(folder, 'expected.raw'), { force: true });
    const random = seededRandom(size);
    await using raw = await open(join(folder, 'expected.raw'), 'w+');
    await raw.truncate(size);
    const blocks = Math.ceil(size / BLOCK);
    await writeImage(size, compression, async (writer) => {
      for (let index = 0; index < Math.min(blocks, 400); index += 1) {
        const at = randomBelow(random, blocks) * BLOCK;
        const part = Buffer.alloc(Math.min(size - at, BLOCK * (1 + randomBelow(random, 4))));
        part.set(randomBytes(random, Math.min(part.length, random() < 0.3 ? BLOCK : 500)));
        await writer.write(at, part);
        await raw.write(part, 0, part.length, at);
        // Some leaves are made durable, and later writes to them go elsewhere.
        if (index % 50 === 0) writer.recordLeaf?.(Math.floor(at / (64 * BLOCK)), new Uint8Array(32));
        if (index % 100 === 0) await writer.flush();
      }
    });
    expectClean();
    expect(qemuImg('compare', '-f', 'raw', '-F', 'qcow2', 'expected.raw', 'out.qcow2')).toContain('identical');
  });

  test('a sparse disk of 1.5 TiB is small and clean', async () => {
    const size = 1536 * GIB;
    const places = [0, 700 * GIB, size - BLOCK];
    await writeImage(size, compression, async (writer) => {
      for (const at of places) await writer.write(at, Buffer.alloc(BLOCK, 7));
    });
    expectClean();
    const map: { start: number; length: number; data: boolean }[] = JSON.parse(
      qemuImg('map', '--output', 'json', 'out.qcow2'),
    );
    expect(map.filter((each) => each.data).map(({ start, length }) => [start, length])).toEqual(
      places.map((at) => [at, BLOCK]),
    );
    expect(JSON.parse(qemuImg('info', '--output', 'json', 'out.qcow2'))).toMatchObject({ 'virtual-size': size });
  });

  test('enough data for a second refcount block', async () => {
    const size = 2100 * MIB;
    const run = Buffer.alloc(16 * BLOCK, 'not zero');
    run.set(randomBytes(seededRandom(2), 3 * BLOCK), BLOCK);
    await writeImage(size, compression, async (writer) => {
      // Compressed, this fills far less than 2 GiB; then the test is of many clusters that share host clusters.
      for (let at = 0; at < (compression === 'none' ? size : 200 * MIB); at += run.length) await writer.write(at, run);
    });
    expectClean();
  });
});
