import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../domain/digest-layout.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { hashBlock } from '../digest-tree.ts';
import { type LaneDisk, type LaneJob, packPieces } from './lane-job.ts';
import { ThreadLanes } from './thread-lanes.ts';
import { WriteTurn } from './write-turn.ts';

const entry = new URL('../../main/lane.ts', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'airlift-lanes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const blocks = Array.from({ length: 40 }, (_, index) =>
  index % 5 === 4 ? Buffer.alloc(BLOCK_BYTES) : Buffer.from(randomBytes(seededRandom(index), BLOCK_BYTES)),
);
const encoded = blocks.map((block) => deflateSync(block));
const places = encoded.map((_, index) => encoded.slice(0, index).reduce((sum, each) => sum + each.length, 100));
const image = Buffer.concat([Buffer.alloc(100), ...encoded]);

/** One block from the image, to the same place of the disk. */
function jobOf(block: number): LaneJob {
  const fileOffset = places[block] ?? 0;
  const fileBytes = encoded[block]?.length ?? 0;
  const piece = { offset: block * BLOCK_BYTES, length: BLOCK_BYTES, fileOffset, fileBytes, encoding: 'zlib' } as const;
  return { file: 0, fileOffset, fileBytes, pieces: packPieces([piece]) };
}

function diskOf(path: string, more: Partial<LaneDisk> = {}): LaneDisk {
  const source = join(folder, 'image');
  writeFileSync(source, image);
  return {
    virtualSizeBytes: blocks.length * BLOCK_BYTES,
    isHashing: true,
    skipsZeroes: true,
    files: [{ path: source, offset: 0, sizeBytes: image.length, name: 'image' }],
    target: { raw: { path, name: path } },
    writeTurn: WriteTurn.makeMemory(),
    ...more,
  };
}

function emptyTarget(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(blocks.length * BLOCK_BYTES));
  return path;
}

describe('lanes as threads', () => {
  test('started, but never given work, let the process end', () => {
    // A file: what `--eval` runs ends with its last line, whatever is still open.
    const script = join(folder, 'start-lanes.mjs');
    writeFileSync(
      script,
      `import { ThreadLanes } from ${JSON.stringify(new URL('./thread-lanes.ts', import.meta.url).href)};
      new ThreadLanes({ entry: new URL(${JSON.stringify(entry.href)}), count: 2 }).start();
      await new Promise((resolve) => setTimeout(resolve, Number(process.argv[2])));
      console.log('end');`,
    );
    for (const wait of ['0', '500'])
      expect(execFileSync(process.execPath, [script, wait], { timeout: 15_000, encoding: 'utf8' })).toBe('end\n');
  });

  test('ended while they start, end in order', () => {
    const script = join(folder, 'end-lanes.mjs');
    writeFileSync(
      script,
      `import { ThreadLanes } from ${JSON.stringify(new URL('./thread-lanes.ts', import.meta.url).href)};
      const lanes = new ThreadLanes({ entry: new URL(${JSON.stringify(entry.href)}), count: 2 });
      lanes.start();
      await new Promise((resolve) => setTimeout(resolve, Number(process.argv[2])));
      await lanes[Symbol.asyncDispose]();
      console.log('end');`,
    );
    // Cut off while it loads a native library, a thread aborts the process.
    for (const wait of ['0', '20', '40', '60', '80'])
      expect(execFileSync(process.execPath, [script, wait], { timeout: 15_000, encoding: 'utf8' })).toBe('end\n');
  });

  test('read, decode, hash and write by themselves, for several disks at once', async () => {
    await using lanes = new ThreadLanes({ entry, count: 2 });
    const paths = ['a.raw', 'b.raw', 'c.raw'].map(emptyTarget);
    await Promise.all(
      paths.map(async (path) => {
        await using session = lanes.openDisk(diskOf(path));
        const results = await Promise.all(blocks.map((_, block) => session.run(jobOf(block))));
        for (const [block, result] of results.entries()) {
          expect([...result.blocks]).toEqual([block]);
          expect(result.hasData[0]).toBe(block % 5 === 4 ? 0 : 1);
          expect(Buffer.from(result.digests)).toEqual(Buffer.from(hashBlock(blocks[block] ?? Buffer.alloc(0))));
        }
      }),
    );
    for (const path of paths) expect(Buffer.compare(readFileSync(path), Buffer.concat(blocks))).toBe(0);
  });

  test('take bytes that are handed over, and hand back what only the caller can write', async () => {
    await using lanes = new ThreadLanes({ entry, count: 1 });
    await using session = lanes.openDisk(diskOf('', { files: [undefined], target: 'caller' }));
    const job = jobOf(3);
    const shared = new Uint8Array(new SharedArrayBuffer(job.fileBytes));
    shared.set(encoded[3] ?? []);
    const { runs, writtenBytes } = await session.run({ ...job, bytes: shared });
    expect(writtenBytes).toBe(BLOCK_BYTES);
    expect(runs).toHaveLength(1);
    expect(runs[0]?.offset).toBe(3 * BLOCK_BYTES);
    expect(Buffer.compare(runs[0]?.bytes ?? Buffer.alloc(0), blocks[3] ?? Buffer.alloc(0))).toBe(0);
  });

  test('a problem keeps its code, its words and its numbers over the border', async () => {
    await using lanes = new ThreadLanes({ entry, count: 1 });
    await using session = lanes.openDisk(diskOf(emptyTarget('d.raw')));
    const noise = { ...jobOf(0), bytes: new Uint8Array(jobOf(0).fileBytes).fill(0xee) };
    await expect(session.run(noise)).rejects.toMatchObject({
      name: 'ProblemError',
      code: 'DiskImageCorrupt',
      message: expect.stringContaining('file offset 100'),
      context: { offset: 0, fileOffset: 100 },
    });
    await expect(session.run(jobOf(1))).resolves.toMatchObject({ writtenBytes: BLOCK_BYTES });
  });

  test('a source that ends too early, and one that is gone, are named', async () => {
    await using lanes = new ThreadLanes({ entry, count: 1 });
    await using session = lanes.openDisk(diskOf(emptyTarget('e.raw')));
    const beyond = { ...jobOf(39), fileOffset: image.length - 10, fileBytes: 100 };
    await expect(session.run(beyond)).rejects.toMatchObject({ code: 'DiskImageTruncated' });
    const files = [{ path: join(folder, 'nowhere'), offset: 0, sizeBytes: 1, name: 'gone' }];
    await using other = lanes.openDisk(diskOf(emptyTarget('f.raw'), { files }));
    await expect(other.run(jobOf(0))).rejects.toMatchObject({ code: 'SourceReadFailed', message: 'gone: ENOENT' });
  });

  test('a lane that dies fails its jobs; the next job gets a new one', async () => {
    await using lanes = new ThreadLanes({ entry, count: 1 });
    await using session = lanes.openDisk(diskOf(emptyTarget('g.raw')));
    // No lane can be told of a buffer this large.
    const tooMuch = { ...jobOf(0), fileBytes: Number.MAX_SAFE_INTEGER };
    await expect(session.run(tooMuch)).rejects.toThrow();
    await expect(session.run(jobOf(1))).resolves.toMatchObject({ writtenBytes: BLOCK_BYTES });
  });

  test('a small disk is not made to wait for a large one', async () => {
    await using lanes = new ThreadLanes({ entry, count: 1 });
    await using large = lanes.openDisk(diskOf(emptyTarget('h.raw')));
    await using small = lanes.openDisk(diskOf(emptyTarget('i.raw')));
    const order: string[] = [];
    const jobs = [
      ...Array.from({ length: 20 }, (_, block) => large.run(jobOf(block)).then(() => order.push('large'))),
      ...[0, 1].map((block) => small.run(jobOf(block)).then(() => order.push('small'))),
    ];
    await Promise.all(jobs);
    expect(order.lastIndexOf('small')).toBeLessThan(8);
  });
});
