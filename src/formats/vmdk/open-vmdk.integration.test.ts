import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWholeDisk, writeDiskTo } from '../../testing/apply-disk-reader.ts';
import { randomBelow, randomBytes, seededRandom } from '../../testing/random.ts';
import { requireTool } from '../../testing/require-tool.ts';
import { localDiskFiles } from '../../testing/vmdk-local-files.ts';
import { decodePiece } from '../decode-piece.ts';
import { openVmdk } from './open-vmdk.ts';
import { STREAM_GRAIN_BYTES, type StreamGrain, writeStreamOptimized } from './stream-optimized-writer.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const hasTools = requireTool('qemu-img') && requireTool('qemu-io');
const subformats = [
  'streamOptimized',
  'monolithicSparse',
  'monolithicFlat',
  'twoGbMaxExtentSparse',
  'twoGbMaxExtentFlat',
];
const sizes = [MIB, MIB + 512, 5 * MIB + 3584, 37 * MIB + 3584, 64 * MIB];
const modes = [{ ranged: true }, { ranged: false }];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'airlift-vmdk-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: folder, stdio: 'pipe' });

/** What qemu-img takes the image for. */
async function asQemuReads(name: string): Promise<Buffer> {
  run('qemu-img', 'convert', '-f', 'vmdk', '-O', 'raw', name, 'qemu.raw');
  return await readFile(join(folder, 'qemu.raw'));
}

async function asWeRead(name: string, options: { ranged: boolean }): Promise<Buffer> {
  await using reader = await openVmdk(await localDiskFiles(folder, name, options));
  return await readWholeDisk(reader, decodePiece);
}

async function expectSame(name: string): Promise<void> {
  const expected = await asQemuReads(name);
  for (const mode of modes) {
    const found = await asWeRead(name, mode);
    expect(found.length, `${name} ${JSON.stringify(mode)}`).toBe(expected.length);
    expect(found.equals(expected), `${name} ${JSON.stringify(mode)}`).toBe(true);
  }
}

/** A disk with runs of noise, of text and of nothing, that has data in its first and last sector. */
function sampleDisk(sizeBytes: number, fill: 'sparse' | 'full'): Buffer {
  const random = seededRandom(sizeBytes);
  const disk = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 16 * KIB) {
    const kind = fill === 'full' ? randomBelow(random, 2) : randomBelow(random, 24);
    const end = Math.min(sizeBytes, at + 16 * KIB);
    if (kind === 0) disk.fill(randomBytes(random, 4096), at, end);
    else if (kind === 1) disk.fill(`text ${at} `, at, end);
  }
  disk.write('first');
  disk.write('last!', sizeBytes - 5);
  return disk;
}

describe.skipIf(!hasTools)('openVmdk reads what qemu-img writes, with random access and in order', () => {
  for (const subformat of subformats) {
    test.each(sizes)(`${subformat} of %i bytes, sparse and full`, async (size) => {
      for (const fill of ['sparse', 'full'] as const) {
        await writeFile(join(folder, 'in.raw'), sampleDisk(size, fill));
        run('qemu-img', 'convert', '-f', 'raw', '-O', 'vmdk', '-o', `subformat=${subformat}`, 'in.raw', 'made.vmdk');
        await expectSame('made.vmdk');
        run('sh', '-c', 'rm -f made*.vmdk');
      }
    });

    test(`${subformat} without any data`, async () => {
      run('qemu-img', 'create', '-f', 'vmdk', '-o', `subformat=${subformat}`, 'empty.vmdk', '9M');
      const expected = await asQemuReads('empty.vmdk');
      for (const mode of modes) expect((await asWeRead('empty.vmdk', mode)).equals(expected)).toBe(true);
      run('sh', '-c', 'rm -f empty*.vmdk');
    });

    test(`${subformat} of 8 GiB, sparse`, async () => {
      const raw = await open(join(folder, 'big.raw'), 'w');
      await raw.truncate(8 * 1024 * MIB);
      for (let at = 0; at < 8 * 1024 * MIB; at += 400 * MIB + 12_288)
        await raw.write(Buffer.alloc(5000, `${at} `), 0, 5000, at);
      await raw.close();
      run('qemu-img', 'convert', '-f', 'raw', '-O', 'vmdk', '-o', `subformat=${subformat}`, 'big.raw', 'big.vmdk');
      // A flat one has 8 GiB of bytes to stream; once is enough for those.
      for (const mode of subformat.endsWith('Flat') ? [{ ranged: true }] : modes) {
        const out = await open(join(folder, 'out.raw'), 'w');
        await using reader = await openVmdk(await localDiskFiles(folder, 'big.vmdk', mode));
        if (subformat.endsWith('Flat')) {
          // Only the leaves that hold data: what is compared is the addresses.
          const wants = (leaf: number) => (leaf * 4 * MIB) % (400 * MIB) < 8 * MIB;
          await writeDiskTo(reader, decodePiece, out, { wants });
        } else await writeDiskTo(reader, decodePiece, out);
        await out.close();
        run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', 'out.raw', 'big.raw');
      }
      run('sh', '-c', 'rm -f big* out.raw');
    });
  }
});

describe.skipIf(!hasTools)('openVmdk reads what qemu-io left behind', () => {
  const writes = (count: number, sizeBytes: number, seed: number, zeroes: boolean) => {
    const random = seededRandom(seed);
    return Array.from({ length: count }, () => {
      const at = randomBelow(random, sizeBytes / 4096) * 4096;
      const length = Math.min(sizeBytes - at, 4096 * (1 + randomBelow(random, 40)));
      const isZero = zeroes && random() < 0.4;
      return ['-c', isZero ? `write -z ${at} ${length}` : `write -P ${1 + randomBelow(random, 255)} ${at} ${length}`];
    }).flat();
  };

  test.each([
    ['monolithicSparse', false],
    ['monolithicSparse', true],
    ['twoGbMaxExtentSparse', true],
  ] as const)('%s, grains in random order, zeroed grains %s', async (subformat, zeroed) => {
    const options = `subformat=${subformat},zeroed_grain=${zeroed ? 'on' : 'off'}`;
    run('qemu-img', 'create', '-f', 'vmdk', '-o', options, 'random.vmdk', '96M');
    run('qemu-io', '-f', 'vmdk', ...writes(120, 96 * MIB, 7, zeroed), 'random.vmdk');
    const expected = await asQemuReads('random.vmdk');
    expect((await asWeRead('random.vmdk', { ranged: true })).equals(expected)).toBe(true);
    // Without markers nothing tells a forward reader what passes.
    await expect(asWeRead('random.vmdk', { ranged: false })).rejects.toMatchObject({ code: 'SourceRangesRequired' });
    run('sh', '-c', 'rm -f random*.vmdk');
  });

  test('a zeroed grain is a hole, also where data was before', async () => {
    run('qemu-img', 'create', '-f', 'vmdk', '-o', 'subformat=monolithicSparse,zeroed_grain=on', 'zeroed.vmdk', '4M');
    run(
      'qemu-io',
      '-f',
      'vmdk',
      '-c',
      'write -P 1 0 256k',
      '-c',
      'write -z 64k 64k',
      '-c',
      'write -z 1M 64k',
      'zeroed.vmdk',
    );
    await using reader = await openVmdk(await localDiskFiles(folder, 'zeroed.vmdk', { ranged: true }));
    expect(reader.allocation).toEqual({ kind: 'exact', bytes: 192 * KIB });
    await expectSame('zeroed.vmdk');
  });
});

describe.skipIf(!hasTools)('qemu-img accepts what we write', () => {
  const grainsOf = function* (disk: Buffer): Generator<StreamGrain, void> {
    for (let offset = 0; offset < disk.length; offset += STREAM_GRAIN_BYTES) {
      const bytes = disk.subarray(offset, offset + STREAM_GRAIN_BYTES);
      if (bytes.some((byte) => byte !== 0)) yield { offset, bytes };
    }
  };

  for (const tables of ['end', 'front'] as const) {
    test.each([512, MIB, MIB + 512, 37 * MIB + 3584, 130 * MIB])(
      `streamOptimized of %i bytes, tables at the ${tables}`,
      async (size) => {
        const disk = sampleDisk(size, 'sparse');
        const image = writeStreamOptimized({ virtualSizeBytes: size, grains: grainsOf(disk), tables });
        await pipeline(image, createWriteStream(join(folder, 'ours.vmdk')));
        expect(JSON.parse(run('qemu-img', 'info', '--output=json', 'ours.vmdk').toString())).toMatchObject({
          format: 'vmdk',
          'virtual-size': size,
          'format-specific': { data: { 'create-type': 'streamOptimized', extents: [{ compressed: true }] } },
        });
        run('qemu-img', 'check', '-f', 'vmdk', 'ours.vmdk');
        expect((await asQemuReads('ours.vmdk')).equals(disk)).toBe(true);
        for (const mode of modes) expect((await asWeRead('ours.vmdk', mode)).equals(disk)).toBe(true);
      },
    );
  }

  test('an image without any grain', async () => {
    await pipeline(
      writeStreamOptimized({ virtualSizeBytes: 3 * MIB, grains: [] }),
      createWriteStream(join(folder, 'ours.vmdk')),
    );
    await expectSame('ours.vmdk');
  });

  test('a sound copy read through a pipe is the same', async () => {
    await pipeline(createReadStream(join(folder, 'ours.vmdk')), createWriteStream(join(folder, 'copy.vmdk')));
    await expectSame('copy.vmdk');
  });
});
