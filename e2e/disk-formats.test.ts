// Every disk format and variant, made by qemu-img, goes through the command line and must come out byte for byte as qemu-img has it.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requireTool } from '../src/testing/require-tool.ts';
import { qemuImg, qemuIo, runCli, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;

interface Variant {
  readonly name: string;
  readonly format: 'vmdk' | 'qcow2' | 'raw';
  readonly extension: string;
  readonly options: readonly string[];
  /** The size beyond the small ones: one image of 8 GiB per format is enough, and split VMDKs need 2 GiB to be split at all (ruling 34). */
  readonly large?: Size;
}

interface Size {
  readonly name: string;
  readonly bytes: number;
  readonly writes: readonly string[];
}

const SMALL: readonly Size[] = [
  { name: '1 MiB, full', bytes: MIB, writes: [`write -P 17 0 ${MIB}`] },
  {
    name: '37 MiB and three sectors',
    bytes: 37 * MIB + 1536,
    writes: ['write -P 1 0 64k', 'write -P 2 5M 3M', `write -P 3 ${37 * MIB} 1536`, 'write -P 4 20000k 7k'],
  },
];
const EIGHT_GIB: Size = {
  name: '8 GiB, sparse',
  bytes: 8192 * MIB,
  writes: ['write -P 5 0 1M', 'write -P 6 2000M 2M', 'write -P 7 8191M 1M', 'write -z 4096M 1M'],
};
const TWO_EXTENTS: Size = {
  name: '2.5 GiB, sparse, in two extents',
  bytes: 2560 * MIB,
  writes: ['write -P 5 0 1M', 'write -P 6 2040M 20M', 'write -P 7 2559M 1M'],
};

const VARIANTS: readonly Variant[] = [
  {
    name: 'VMDK streamOptimized',
    format: 'vmdk',
    extension: 'vmdk',
    options: ['-o', 'subformat=streamOptimized'],
    large: EIGHT_GIB,
  },
  { name: 'VMDK monolithicSparse', format: 'vmdk', extension: 'vmdk', options: ['-o', 'subformat=monolithicSparse'] },
  { name: 'VMDK monolithicFlat', format: 'vmdk', extension: 'vmdk', options: ['-o', 'subformat=monolithicFlat'] },
  {
    name: 'VMDK twoGbMaxExtentSparse',
    format: 'vmdk',
    extension: 'vmdk',
    options: ['-o', 'subformat=twoGbMaxExtentSparse'],
    large: TWO_EXTENTS,
  },
  {
    name: 'VMDK twoGbMaxExtentFlat',
    format: 'vmdk',
    extension: 'vmdk',
    options: ['-o', 'subformat=twoGbMaxExtentFlat'],
    large: TWO_EXTENTS,
  },
  {
    name: 'VMDK with zeroed grains',
    format: 'vmdk',
    extension: 'vmdk',
    options: ['-o', 'subformat=monolithicSparse,zeroed_grain=on'],
  },
  { name: 'qcow2 v2', format: 'qcow2', extension: 'qcow2', options: ['-o', 'compat=0.10'] },
  { name: 'qcow2 v3', format: 'qcow2', extension: 'qcow2', options: ['-o', 'compat=1.1'], large: EIGHT_GIB },
  { name: 'qcow2 v3 of 4 KiB clusters', format: 'qcow2', extension: 'qcow2', options: ['-o', 'cluster_size=4096'] },
  { name: 'qcow2 v3 of 2 MiB clusters', format: 'qcow2', extension: 'qcow2', options: ['-o', 'cluster_size=2M'] },
  { name: 'qcow2 zlib', format: 'qcow2', extension: 'qcow2', options: ['-c'] },
  { name: 'qcow2 zstd', format: 'qcow2', extension: 'qcow2', options: ['-c', '-o', 'compression_type=zstd'] },
  { name: 'raw', format: 'raw', extension: 'raw', options: [], large: EIGHT_GIB },
];

describe.skipIf(!requireTool('qemu-img') || !requireTool('qemu-io'))('disks made by qemu-img', () => {
  for (const variant of VARIANTS) {
    test.each([...SMALL, ...(variant.large ? [variant.large] : [])])(
      `${variant.name}, $name`,
      async ({ bytes, writes }) => {
        using folder = temporaryFolder();
        const original = join(folder.path, 'original.raw');
        qemuImg('create', '-q', '-f', 'raw', original, String(bytes));
        qemuIo(original, 'raw', writes);
        const image = join(folder.path, `disk.${variant.extension}`);
        qemuImg('convert', '-f', 'raw', '-O', variant.format, ...variant.options, original, image);

        for (const format of ['raw', 'qcow2'] as const) {
          const result = await runCli([
            'import',
            image,
            '--to',
            `dir:${join(folder.path, format)}?format=${format}`,
            '--name',
            'vm',
            '--yes',
          ]);
          expect({ status: result.status, stderr: result.status === 0 ? '' : result.stderr }).toEqual({
            status: 0,
            stderr: '',
          });
          const written = join(folder.path, format, 'vm', `disk-0.${format}`);
          expect(qemuImg('compare', '-f', format, '-F', variant.format, written, image)).toContain(
            'Images are identical',
          );
          if (format === 'qcow2') expect(qemuImg('check', written)).toContain('No errors were found');
          expect(readdirSync(join(folder.path, format, 'vm')).toSorted()).toEqual([
            `disk-0.${format}`,
            'machine.yaml',
            'report.json',
            'report.md',
          ]);
          expect(existsSync(join(folder.path, format, 'vm.partial'))).toBe(false);
        }
      },
    );
  }
});
