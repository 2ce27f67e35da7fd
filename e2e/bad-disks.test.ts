// Archives and disk images that contradict themselves, made byte by byte: each ends in time with its own code and remedy and leaves nothing.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { ProblemCode } from '../src/domain/problems.ts';
import {
  buildOva,
  buildOvaFiles,
  buildOvf,
  buildTar,
  type OvaSpec,
  type TarEntry,
} from '../src/testing/ova-builder.ts';
import { tarHeader } from '../src/testing/ova-tar.ts';
import { buildQcow2, COMPRESSED, PLAIN, type Qcow2Sample } from '../src/testing/qcow2-builder.ts';
import { type BuiltSparse, buildSparse, type SparseSpec } from '../src/testing/vmdk-builder.ts';
import { attemptImport, expectRefused } from './refusal.ts';
import { temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const GRAIN = 65_536;

const grains = new Map(Array.from({ length: 40 }, (_, index) => [index, Buffer.alloc(GRAIN, `grain ${index} `)]));
const stream = (more: Partial<SparseSpec> = {}) =>
  buildSparse({ virtualSizeBytes: 4 * MIB, grains, compressed: true, tables: 'behind', ...more });
const behind = stream();
const plain = buildSparse({ virtualSizeBytes: 4 * MIB, grains });

const spec: OvaSpec = {
  machines: [{ id: 'vm', name: 'vm', disks: [{ fileName: 'disk.vmdk', capacityBytes: 4 * MIB }] }],
  contents: { 'disk.vmdk': behind.bytes },
  manifest: 'sha256',
};
const files = buildOvaFiles(spec);
const good = Buffer.from(buildOva(spec));
const sizeOf = (name: string) => files.find((file) => file.name === name)?.bytes.length ?? 0;
/** Where the header of a member lies in `good`. */
const headerAt = (name: string) => {
  let at = 0;
  for (const file of files) {
    if (file.name === name) return at;
    at += 512 + Math.ceil(file.bytes.length / 512) * 512;
  }
  throw new Error(`${name} is not in the archive`);
};
const diskAt = headerAt('disk.vmdk') + 512;

function damaged(built: BuiltSparse, change: (view: DataView) => void): Uint8Array {
  const bytes = built.bytes.slice();
  change(new DataView(bytes.buffer));
  return bytes;
}

const entryAt = (built: BuiltSparse, grain: number) => (built.tableAt.get(0) ?? 0) + grain * 4;
const grainAt = (built: BuiltSparse, grain: number) => built.grainAt.get(grain) ?? 0;

/** A disk of one grain of 64 KiB that unpacks to 32 MiB: built with grains of that size, whereupon header and footer claim smaller ones. */
function vmdkBomb(): Uint8Array {
  const one = new Map([[0, Buffer.alloc(GRAIN, 'x')]]);
  const built = stream({ virtualSizeBytes: GRAIN, grainBytes: 32 * MIB, grains: one });
  return damaged(built, (view) => {
    for (const at of [0, built.footerAt]) view.setBigUint64(at + 20, BigInt(GRAIN / 512), true);
  });
}

type Row = readonly [name: string, code: ProblemCode, bytes: Uint8Array];

const nothing = (length: number) => new Uint8Array(length);
const withMembers = (...members: TarEntry[]) => buildTar([...files, ...members]);
const hugeMember = (sizeBytes: number, isBase256: boolean) =>
  Buffer.concat([tarHeader({ name: 'a.ovf', sizeBytes, isBase256 }), nothing(4096)]);
const withDescriptor = (ovf: string) =>
  buildTar([
    { name: 'a.ovf', bytes: Buffer.from(ovf) },
    { name: 'disk.vmdk', bytes: behind.bytes },
  ]);
const laughs = Array.from({ length: 9 }, (_, level) => `<!ENTITY l${level + 1} "${`&l${level};`.repeat(10)}">`).join(
  '',
);
const ovf = buildOvf({ machines: spec.machines });
const withoutProlog = ovf.slice(ovf.indexOf('<Envelope'));

const ARCHIVES: readonly Row[] = [
  ['cut in its first header', 'NotAnOva', good.subarray(0, 300)],
  ['cut in the manifest', 'ArchiveTruncated', good.subarray(0, headerAt('appliance.mf') + 520)],
  ['cut in the header of the disk', 'ArchiveTruncated', good.subarray(0, diskAt - 100)],
  ['cut right behind the header of the disk', 'ArchiveTruncated', good.subarray(0, diskAt)],
  ['cut in the footer of the disk', 'ArchiveTruncated', good.subarray(0, diskAt + behind.footerAt + 100)],
  ['cut one byte before the end of the disk', 'ArchiveTruncated', good.subarray(0, diskAt + sizeOf('disk.vmdk') - 1)],
  ['without its disk, cut before its header', 'DiskFileMissing', good.subarray(0, headerAt('disk.vmdk'))],
  ['with a hard link', 'ArchiveMemberUnsafe', withMembers({ name: 'link', type: '1', linkName: 'disk.vmdk' })],
  ['with a device', 'ArchiveMemberUnsafe', withMembers({ name: 'sda', type: '4' })],
  ['with a pipe', 'ArchiveMemberUnsafe', withMembers({ name: 'pipe', type: '6' })],
  [
    'with a name that leaves it, in a pax header',
    'ArchiveMemberUnsafe',
    withMembers({ name: 'a/../../b', format: 'pax' }),
  ],
  ['with a name that leaves it, in a long name', 'ArchiveMemberUnsafe', withMembers({ name: '../b', format: 'gnu' })],
  ['with a name of Windows that leaves it', 'ArchiveMemberUnsafe', withMembers({ name: '..\\..\\b' })],
  ['whose member claims 8 GiB', 'ArchiveTruncated', hugeMember(8 * 1024 * MIB - 1, false)],
  ['whose member claims 4 PiB', 'ArchiveTruncated', hugeMember(2 ** 52, true)],
  ['of nothing but zeroes', 'NotAnOva', nothing(MIB)],
  [
    'whose descriptor expands entities without end',
    'OvfEntityRefused',
    withDescriptor(`<!DOCTYPE x [<!ENTITY l0 "ha">${laughs}]><x>&l9;</x>`),
  ],
  [
    'whose descriptor has 100 MB of attributes',
    'OvfTooLarge',
    withDescriptor(`<Envelope ${'x="y" '.repeat(17_000_000)}/>`),
  ],
  ['whose descriptor ends midway', 'OvfMalformed', withDescriptor(ovf.slice(0, -40))],
  [
    'whose descriptor names a file outside',
    'ArchiveMemberUnsafe',
    withDescriptor(ovf.replaceAll('ovf:href="disk.vmdk"', 'ovf:href="../../etc/passwd"')),
  ],
  [
    'whose descriptor names a file on a server',
    'OvfUnsupported',
    withDescriptor(ovf.replaceAll('ovf:href="disk.vmdk"', 'ovf:href="http://127.0.0.1:1/disk.vmdk"')),
  ],
  [
    'whose descriptor loads another through its DTD',
    'OvfEntityRefused',
    withDescriptor(`<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">${withoutProlog}`),
  ],
];

const VMDKS: readonly Row[] = [
  [
    'a grain far outside the file',
    'DiskImageCorrupt',
    damaged(plain, (view) => view.setUint32(entryAt(plain, 5), 0xffff_fff0, true)),
  ],
  ['a grain in the header', 'DiskImageCorrupt', damaged(plain, (view) => view.setUint32(entryAt(plain, 5), 2, true))],
  [
    'a grain in its own table',
    'DiskImageCorrupt',
    damaged(plain, (view) => view.setUint32(entryAt(plain, 5), entryAt(plain, 0) / 512, true)),
  ],
  [
    'two grains that overlap by a sector',
    'DiskImageCorrupt',
    damaged(plain, (view) => view.setUint32(entryAt(plain, 5), grainAt(plain, 5) / 512 - 1, true)),
  ],
  [
    'two grains in one place',
    'DiskImageCorrupt',
    damaged(plain, (view) => view.setUint32(entryAt(plain, 5), grainAt(plain, 1) / 512, true)),
  ],
  [
    'a table that is its directory',
    'DiskImageCorrupt',
    damaged(plain, (view) => view.setUint32(plain.directoryAt, plain.directoryAt / 512, true)),
  ],
  [
    'a marker that claims 2 GiB',
    'DiskImageCorrupt',
    damaged(behind, (view) => view.setUint32(grainAt(behind, 5) + 8, 2 ** 31, true)),
  ],
  [
    'a marker that claims another address',
    'DiskImageCorrupt',
    damaged(behind, (view) => view.setBigUint64(grainAt(behind, 5), 6n * 128n, true)),
  ],
  [
    'a footer of another disk',
    'DiskImageCorrupt',
    damaged(behind, (view) => view.setBigUint64(behind.footerAt + 12, 999n, true)),
  ],
  ['2^63 sectors', 'DiskTooLarge', damaged(plain, (view) => view.setBigUint64(12, 1n << 63n, true))],
  [
    'a directory of 64 TiB in a small file',
    'DiskImageTruncated',
    damaged(plain, (view) => {
      view.setBigUint64(12, 2n ** 37n, true);
      // Without its descriptor, which says otherwise.
      new Uint8Array(view.buffer).fill(0, 512, 10_000);
    }),
  ],
  ['a grain that unpacks to 32 MiB', 'DiskGrainOversized', vmdkBomb()],
  ['a parent', 'DiskHasParent', stream({ descriptor: '# Disk DescriptorFile\nparentCID=11223344\n' }).bytes],
  [
    'an encrypted descriptor',
    'DiskEncrypted',
    stream({ descriptor: '# Disk DescriptorFile\nencryption.keySafe="x"\n' }).bytes,
  ],
  [
    'an extent outside the folder',
    'ArchiveMemberUnsafe',
    Buffer.from(
      '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2048 FLAT "../../etc/passwd" 0\n',
    ),
  ],
  [
    'an extent with an absolute path',
    'ArchiveMemberUnsafe',
    Buffer.from(
      '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2048 FLAT "/etc/passwd" 0\n',
    ),
  ],
  [
    'an extent that is not there',
    'DiskFileMissing',
    Buffer.from(
      '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 2048 FLAT "other-flat.vmdk" 0\n',
    ),
  ],
  [
    'itself as an extent',
    'DiskImageCorrupt',
    Buffer.from(
      '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicSparse"\nRW 2048 SPARSE "disk.vmdk"\n',
    ),
  ],
  ['a delta format', 'DiskHasParent', Buffer.concat([Buffer.from('COWD\u0001\0\0\0', 'latin1'), nothing(4096)])],
];

const data = { 1536: Buffer.alloc(512, 'first'), 2048: Buffer.alloc(512, 'second') };
const qcow2 = (sample: Partial<Qcow2Sample>) => buildQcow2({ virtualSizeBytes: 2048, data, ...sample });
const words =
  (...changes: readonly (readonly [at: number, value: number | bigint])[]) =>
  (bytes: Buffer) => {
    for (const [at, value] of changes) {
      if (typeof value === 'bigint') bytes.writeBigUInt64BE(value, at);
      else bytes.writeUInt32BE(value, at);
    }
  };

const QCOW2S: readonly Row[] = [
  ['a cluster outside the file', 'DiskImageCorrupt', qcow2({ l2: { 0: PLAIN | 0x100000n } })],
  ['a cluster that is its own table', 'DiskImageCorrupt', qcow2({ l2: { 0: PLAIN | 1024n } })],
  ['a cluster in the L1 table', 'DiskImageCorrupt', qcow2({ l2: { 0: PLAIN | 512n } })],
  ['one cluster for two places', 'DiskImageCorrupt', qcow2({ l2: { 0: PLAIN | 1536n, 1: PLAIN | 1536n } })],
  [
    'a cluster both plain and compressed',
    'DiskImageCorrupt',
    qcow2({ l2: { 0: COMPRESSED | 1540n, 1: PLAIN | 1536n } }),
  ],
  ['an L2 table that is the L1 table', 'DiskImageCorrupt', qcow2({ damage: words([512, PLAIN | 512n]) })],
  ['an L2 table outside the file', 'DiskImageCorrupt', qcow2({ damage: words([512, PLAIN | (1n << 40n)]) })],
  ['an L1 table outside the file', 'DiskImageCorrupt', qcow2({ damage: words([40, 1n << 50n]) })],
  [
    'a last cluster that is cut',
    'DiskImageTruncated',
    qcow2({ l2: { 0: PLAIN | 1536n }, data: { 1536: nothing(511) } }),
  ],
  ['a header that is cut', 'DiskImageTruncated', qcow2({}).subarray(0, 60)],
  ['2^63 bytes', 'DiskTooLarge', qcow2({ damage: words([24, 1n << 63n]) })],
  ['an AES key', 'DiskEncrypted', qcow2({ damage: words([32, 1]) })],
  ['a LUKS header', 'DiskEncrypted', qcow2({ damage: words([32, 2]) })],
  ['a backing file', 'DiskHasParent', qcow2({ damage: words([8, 200n], [16, 4]) })],
  ['an external data file', 'DiskFormatUnsupported', qcow2({ incompatible: 4n })],
  ['an unknown feature', 'DiskFormatUnsupported', qcow2({ incompatible: 1n << 40n })],
  ['an unknown compression', 'DiskCompressionUnsupported', qcow2({ incompatible: 8n, compressionType: 2 })],
  [
    'a cluster that unpacks to 20 MiB',
    'DiskGrainOversized',
    qcow2({
      virtualSizeBytes: 65_536,
      clusterBits: 16,
      l2: { 0: COMPRESSED | 196_608n | (39n << 54n) },
      data: { 196608: deflateRawSync(Buffer.alloc(20 * MIB)) },
    }),
  ],
  [
    'a compressed cluster that is no deflate',
    'DiskImageCorrupt',
    qcow2({ l2: { 0: COMPRESSED | 1536n }, data: { 1536: Buffer.alloc(512, 0xff) } }),
  ],
];

async function expectFileRefused(fileName: string, bytes: Uint8Array, code: ProblemCode): Promise<void> {
  using folder = temporaryFolder();
  const path = join(folder.path, fileName);
  writeFileSync(path, bytes);
  for (const format of ['raw', 'qcow2'] as const) {
    expectRefused(await attemptImport(path, folder.path, { format }), code);
    expect(readdirSync(folder.path)).toEqual([fileName]);
  }
}

describe('an archive', () => {
  test.each(ARCHIVES)('%s is %s', (_name, code, bytes) => expectFileRefused('a.ova', bytes, code));
});

describe('a VMDK with', () => {
  test.each(VMDKS)('%s is %s', (_name, code, bytes) => expectFileRefused('disk.vmdk', bytes, code));
});

describe('a qcow2 with', () => {
  test.each(QCOW2S)('%s is %s', (_name, code, bytes) => expectFileRefused('disk.qcow2', bytes, code));
});

test('of two descriptors in an archive the first one counts (DSP0243 5.3)', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'a.ova');
  const second = buildOvf({ machines: [{ id: 'other', name: 'other' }] });
  writeFileSync(path, withMembers({ name: 'second.ovf', bytes: Buffer.from(second) }));
  expect(await attemptImport(path, folder.path)).toMatchObject({ status: 0, left: ['vm'] });
});

describe('names from outside', () => {
  test('a machine whose name is a path stays inside the folder', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    const machines = [{ ...spec.machines[0], id: '../../id', name: '../../../escaped' }];
    writeFileSync(path, buildOva({ ...spec, machines }));
    const attempt = await attemptImport(path, folder.path);
    expect(attempt).toMatchObject({ status: 0, left: [expect.stringMatching(/^[a-z0-9-]+$/)] });
    expect(readdirSync(folder.path).toSorted()).toEqual(['a.ova', 'out']);
  });

  test('a --name that is a path is refused', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    writeFileSync(path, good);
    const attempt = await attemptImport(path, folder.path, { args: ['--name', '../escaped'] });
    expect(attempt.status).not.toBe(0);
    expect(attempt.left).toBeUndefined();
    expect(existsSync(join(folder.path, 'escaped'))).toBe(false);
  });

  test('a machine whose name holds control characters cannot write to the terminal', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    const hidden = 'evil&#x9b;31m\u202e&#x85;vm';
    const named = buildOvf({ machines: [{ ...spec.machines[0], id: 'vm', name: 'NAME' }] }).replace('NAME', hidden);
    writeFileSync(path, buildOva({ ...spec, ovf: named }));
    const { status, stdout, stderr } = await attemptImport(path, folder.path);
    expect({ status, stderr }).toEqual({ status: 0, stderr });
    expect(stdout + stderr).not.toMatch(/[\u0080-\u009f\u202a-\u202e\u2066-\u2069]/);
  });
});
