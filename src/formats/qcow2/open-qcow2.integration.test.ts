import { execFileSync } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWholeDisk, writeDiskTo } from '../../testing/apply-disk-reader.ts';
import { randomBelow, randomBytes, seededRandom } from '../../testing/random.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { localDiskFiles } from '../../testing/vmdk-local-files.ts';
import { decodePiece } from '../decode-piece.ts';
import { openQcow2 } from './open-qcow2.ts';

const MIB = 2 ** 20;
const hasTools = requireTool('qemu-img') && requireTool('qemu-io');
const sizes = [MIB, MIB + 512, 5 * MIB + 3584, 64 * MIB];
const variants: [name: string, convert: string[]][] = [
  ['compat 0.10', ['-o', 'compat=0.10']],
  ['compat 1.1', ['-o', 'compat=1.1']],
  ...['512', '4k', '64k', '2M'].map((size): [string, string[]] => [
    `clusters of ${size}`,
    ['-o', `cluster_size=${size}`],
  ]),
  ['zlib', ['-c']],
  ['zlib, compat 0.10', ['-c', '-o', 'compat=0.10']],
  ['zlib, clusters of 512', ['-c', '-o', 'cluster_size=512']],
  ['zlib, clusters of 2M', ['-c', '-o', 'cluster_size=2M']],
  ['zstd', ['-c', '-o', 'compression_type=zstd']],
  ['zstd, clusters of 4k', ['-c', '-o', 'compression_type=zstd,cluster_size=4k']],
  ['zstd, clusters of 2M', ['-c', '-o', 'compression_type=zstd,cluster_size=2M']],
  ['preallocated metadata', ['-o', 'preallocation=metadata']],
  ['lazy refcounts', ['-o', 'lazy_refcounts=on']],
  ['refcounts of 1 bit', ['-o', 'refcount_bits=1']],
  ['subclusters', ['-o', 'extended_l2=on']],
  ['subclusters, clusters of 2M', ['-o', 'extended_l2=on,cluster_size=2M']],
  ['subclusters, zstd', ['-c', '-o', 'extended_l2=on,compression_type=zstd']],
  ['written out of order', ['-W', '-m', '16']],
];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-qcow2-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: folder, stdio: 'pipe' });

/** QEMU times its key derivation first, and gives up where the machine is too busy to be timed. */
function createEncrypted(name: string, tries = 20): void {
  const secret = ['--object', 'secret,id=s,data=x'];
  const luks = ['-o', 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10'];
  try {
    run('qemu-img', 'create', '-q', '-f', 'qcow2', ...secret, ...luks, name, '1M');
  } catch (error) {
    if (tries <= 1 || !String(error).includes('accurate CPU usage')) throw error;
    createEncrypted(name, tries - 1);
  }
}

const openLocal = async (name: string, piecesPerPass?: number) =>
  openQcow2(await localDiskFiles(folder, name, { ranged: true }), piecesPerPass === undefined ? {} : { piecesPerPass });

async function expectAsQemuReads(name: string, piecesPerPass?: number): Promise<void> {
  run('qemu-img', 'convert', '-O', 'raw', name, 'expected.raw');
  const expected = await readFile(join(folder, 'expected.raw'));
  await using reader = await openLocal(name, piecesPerPass);
  expect(reader.virtualSizeBytes).toBe(expected.length);
  expect((await readWholeDisk(reader, decodePiece)).equals(expected)).toBe(true);
}

/** Data, text and holes of all lengths. */
function sampleDisk(size: number): Buffer {
  const random = seededRandom(size);
  const disk = Buffer.alloc(size);
  for (let at = 0; at < size; at += randomBelow(random, 400_000)) {
    const length = Math.min(randomBelow(random, 100_000), size - at);
    if (random() < 0.5) disk.set(randomBytes(random, length), at);
    else disk.fill('some text that packs well ', at, at + length);
  }
  return disk;
}

describe.skipIf(!hasTools)('openQcow2 reads what qemu-img writes', () => {
  test.each(variants)('%s', async (_name, convert) => {
    for (const size of sizes) {
      await writeFile(join(folder, 'disk.raw'), sampleDisk(size));
      run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', ...convert, 'disk.raw', 'disk.qcow2');
      await expectAsQemuReads('disk.qcow2');
    }
  });

  test.each(['64k', '512', '2M'])('random writes, zeroes and discards by qemu-io, clusters of %s', async (cluster) => {
    const random = seededRandom(cluster.length);
    for (const extra of cluster === '512' ? [''] : ['', ',extended_l2=on']) {
      run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', `cluster_size=${cluster}${extra}`, 'io.qcow2', '32M');
      const commands: string[] = [];
      for (let index = 0; index < 120; index += 1) {
        const at = randomBelow(random, 32 * 2048 - 600) * 512;
        const length = (1 + randomBelow(random, 500)) * 512;
        const command = ['write -P 17', 'write -P 201', 'write -z', 'write -z -u', 'discard'][randomBelow(random, 5)];
        commands.push('-c', `${command} ${at} ${length}`);
      }
      run('qemu-io', ...commands, 'io.qcow2');
      await expectAsQemuReads('io.qcow2');
      await expectAsQemuReads('io.qcow2', 7);
    }
  });

  test('internal snapshots are not looked at', async () => {
    run('qemu-img', 'create', '-q', '-f', 'qcow2', 'snapshot.qcow2', '8M');
    run('qemu-io', '-c', 'write -P 1 0 3M', 'snapshot.qcow2');
    run('qemu-img', 'snapshot', '-c', 'before', 'snapshot.qcow2');
    run('qemu-io', '-c', 'write -P 2 1M 1M', '-c', 'write -z 64k 64k', 'snapshot.qcow2');
    await expectAsQemuReads('snapshot.qcow2');
  });

  test.each(['0', '512', '100000'])('an empty disk of %s bytes', async (size) => {
    run('qemu-img', 'create', '-q', '-f', 'qcow2', 'empty.qcow2', size);
    await expectAsQemuReads('empty.qcow2');
  });

  test('a sparse disk of 8 GiB', async () => {
    run('qemu-img', 'create', '-q', '-f', 'qcow2', 'sparse.qcow2', '8G');
    run(
      'qemu-io',
      '-c',
      'write -P 3 5G 1M',
      '-c',
      'write -P 4 12345k 64k',
      '-c',
      'write -P 5 8388600k 8k',
      'sparse.qcow2',
    );
    await using reader = await openLocal('sparse.qcow2');
    expect(reader.allocation).toEqual({ kind: 'exact', bytes: (16 + 2 + 1) * 65_536 });
    await using out = await open(join(folder, 'sparse.raw'), 'w+');
    await writeDiskTo(reader, decodePiece, out);
    const compared = run('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', 'sparse.raw', 'sparse.qcow2').toString();
    expect(compared).toContain('identical');
  });

  test('what it cannot read is refused by name', async () => {
    const create = (...args: string[]) => run('qemu-img', 'create', '-q', '-f', 'qcow2', ...args);
    const refusal = (name: string) => expect(openLocal(name)).rejects;
    create('base.qcow2', '1M');
    create('-b', 'base.qcow2', '-F', 'qcow2', 'child.qcow2');
    await refusal('child.qcow2').toMatchObject({
      code: 'DiskHasParent',
      message: expect.stringContaining('base.qcow2'),
    });
    createEncrypted('luks.qcow2');
    await refusal('luks.qcow2').toMatchObject({ code: 'DiskEncrypted' });
    create('-o', 'data_file=data.raw', 'external.qcow2', '1M');
    await refusal('external.qcow2').toMatchObject({ code: 'DiskFormatUnsupported' });
  });
});
