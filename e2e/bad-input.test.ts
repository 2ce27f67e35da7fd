// Bad input is normal input: each has its own code and remedy, ends in time, and leaves nothing that looks finished.
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type ProblemCode, problems } from '../src/domain/problems.ts';
import { writeStreamOptimized } from '../src/formats/vmdk/stream-optimized-writer.ts';
import { collect } from '../src/testing/collect.ts';
import { HttpFileServer, type HttpFileServerOptions } from '../src/testing/http-file-server.ts';
import { buildOva, buildOvaFiles, buildOvf, buildTar, type OvaSpec } from '../src/testing/ova-builder.ts';
import { requireTool } from '../src/testing/require-tool.ts';
import { makeSelfSignedCertificate } from '../src/testing/self-signed-certificate.ts';
import { qemuImg, runCli, startCli, temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const grains = Array.from({ length: 40 }, (_, index) => ({
  offset: index * 65_536,
  bytes: Buffer.alloc(65_536, `grain ${index}`),
}));
const vmdk = Buffer.concat(await collect(writeStreamOptimized({ virtualSizeBytes: 4 * MIB, grains, level: 0 })));
const spec: OvaSpec = {
  machines: [{ id: 'vm', name: 'vm', disks: [{ fileName: 'disk.vmdk', capacityBytes: 4 * MIB }] }],
  contents: { 'disk.vmdk': vmdk },
  manifest: 'sha256',
};
const good = Buffer.from(buildOva(spec));
const withDisk = (bytes: Uint8Array) =>
  Buffer.from(buildOva({ ...spec, manifest: 'sha256', contents: { 'disk.vmdk': bytes } }));
const withOvf = (ovf: string) => Buffer.from(buildTar([{ name: 'a.ovf', bytes: Buffer.from(ovf) }]));

/** A copy with some bytes changed. */
function damaged(bytes: Uint8Array, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

const GRAIN_DATA = 128 * 512;
const footer = vmdk.length - 1024;
const directory = Number(vmdk.readBigUInt64LE(footer + 56)) * 512;
const table = vmdk.readUInt32LE(directory) * 512;

interface Case {
  readonly name: string;
  readonly code: ProblemCode;
  readonly file: Uint8Array;
}

const CASES: readonly Case[] = [
  { name: 'an empty file', code: 'NotAnOva', file: new Uint8Array(0) },
  { name: 'a text', code: 'NotAnOva', file: Buffer.from('this is not an archive\n'.repeat(100)) },
  {
    name: 'an archive without a descriptor',
    code: 'NotAnOva',
    file: buildTar([{ name: 'readme.txt', bytes: Buffer.from('hello') }]),
  },
  {
    name: 'an archive cut inside a disk',
    code: 'ArchiveTruncated',
    file: good.subarray(0, Math.floor(good.length / 2)),
  },
  { name: 'an archive cut inside the descriptor', code: 'ArchiveTruncated', file: good.subarray(0, 700) },
  {
    name: 'a damaged member header',
    code: 'ArchiveCorrupt',
    file: damaged(good, (copy) =>
      copy.fill(0x41, good.indexOf('appliance.mf') + 100, good.indexOf('appliance.mf') + 160),
    ),
  },
  {
    name: 'a disk with another digest than the manifest says',
    code: 'DigestMismatch',
    file: Buffer.from(buildOva({ ...spec, wrongDigests: ['disk.vmdk'] })),
  },
  {
    name: 'a descriptor with another digest than the manifest says',
    code: 'DigestMismatch',
    file: Buffer.from(buildOva({ ...spec, wrongDigests: ['appliance.ovf'] })),
  },
  { name: 'a missing disk file', code: 'DiskFileMissing', file: Buffer.from(buildOva({ ...spec, contents: {} })) },
  {
    name: 'two members of one name',
    code: 'ArchiveMemberDuplicate',
    file: buildTar([...buildOvaFiles(spec), ...buildOvaFiles(spec).slice(-1)]),
  },
  {
    name: 'a name that leaves the folder',
    code: 'ArchiveMemberUnsafe',
    file: buildTar([...buildOvaFiles(spec), { name: '../../etc/passwd', bytes: Buffer.from('x') }]),
  },
  {
    name: 'an absolute name',
    code: 'ArchiveMemberUnsafe',
    file: buildTar([{ name: '/etc/passwd', bytes: Buffer.from('x') }, ...buildOvaFiles(spec)]),
  },
  {
    name: 'a symbolic link',
    code: 'ArchiveMemberUnsafe',
    file: buildTar([...buildOvaFiles(spec), { name: 'link', type: '2', linkName: '/etc/passwd' }]),
  },
  {
    name: 'a descriptor with external entities',
    code: 'OvfEntityRefused',
    file: withOvf(`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${buildOvf({ machines: spec.machines })}`),
  },
  { name: 'a descriptor nested without end', code: 'OvfTooLarge', file: withOvf('<a>'.repeat(10_000)) },
  {
    name: 'a descriptor of 100 MB',
    code: 'OvfTooLarge',
    file: withOvf(`<Envelope>${' '.repeat(100 * MIB)}</Envelope>`),
  },
  { name: 'a descriptor that is no XML', code: 'OvfMalformed', file: withOvf('<Envelope') },
  {
    name: 'a disk without its footer',
    code: 'DiskImageTruncated',
    file: withDisk(vmdk.subarray(0, vmdk.length - 1536)),
  },
  { name: 'a disk cut in the middle', code: 'DiskImageTruncated', file: withDisk(vmdk.subarray(0, 300_000)) },
  {
    name: 'a grain outside the file',
    code: 'DiskImageCorrupt',
    file: withDisk(damaged(vmdk, (copy) => copy.writeUInt32LE(0x7fff_ffff, table))),
  },
  {
    name: 'a grain inside the tables',
    code: 'DiskImageCorrupt',
    file: withDisk(damaged(vmdk, (copy) => copy.writeUInt32LE(table / 512, table))),
  },
  {
    name: 'two grains in one place',
    code: 'DiskImageCorrupt',
    file: withDisk(damaged(vmdk, (copy) => copy.writeUInt32LE(copy.readUInt32LE(table), table + 4))),
  },
  {
    name: 'a grain table outside the file',
    code: 'DiskImageCorrupt',
    file: withDisk(damaged(vmdk, (copy) => copy.writeUInt32LE(0x7fff_ffff, directory))),
  },
  {
    name: 'a directory that is its own table',
    code: 'DiskImageCorrupt',
    file: withDisk(damaged(vmdk, (copy) => copy.writeUInt32LE(directory / 512, directory))),
  },
  {
    name: 'a grain that is no zlib',
    code: 'DiskImageCorrupt',
    file: withDisk(damaged(vmdk, (copy) => copy.fill(0xff, GRAIN_DATA + 12, GRAIN_DATA + 100))),
  },
  {
    name: 'a disk of 2^63 sectors',
    code: 'DiskTooLarge',
    file: withDisk(
      damaged(vmdk, (copy) => {
        for (const at of [0, footer]) copy.writeBigUInt64LE(1n << 63n, at + 12);
      }),
    ),
  },
  {
    name: 'an unknown compression',
    code: 'DiskCompressionUnsupported',
    file: withDisk(
      damaged(vmdk, (copy) => {
        for (const at of [0, footer]) copy.writeUInt16LE(7, at + 77);
      }),
    ),
  },
  {
    name: 'a delta disk',
    code: 'DiskHasParent',
    file: withDisk(damaged(vmdk, (copy) => copy.write('parentCID=12345678', copy.indexOf('parentCID=ffffffff')))),
  },
  { name: 'a disk of no known format', code: 'DiskFormatUnknown', file: withDisk(Buffer.alloc(100_000, 'unknown')) },
];

async function importFails(
  location: string,
  folder: string,
  more: readonly string[] = [],
  env: Record<string, string> = {},
) {
  const out = join(folder, 'out');
  const result = await runCli(['import', location, '--to', `dir:${out}?format=raw`, '--yes', ...more], { env });
  return { ...result, left: existsSync(out) ? readdirSync(out) : [] };
}

function expectRefusal(result: Awaited<ReturnType<typeof importFails>>, code: ProblemCode): void {
  expect(result.stderr).toContain(code);
  expect(result.stderr.replaceAll(/\s+/g, ' ')).toContain(problems[code].remedy.slice(0, 40));
  expect([1, 3]).toContain(result.status);
  expect(result.stdout).toBe('');
  const kept = result.left.filter((name) => !name.endsWith('.partial'));
  expect(kept).toEqual([]);
  if (problems[code].retry === 'never' && code !== 'SourceChanged') expect(result.left).toEqual([]);
}

describe('bad files', () => {
  test.each(CASES)('$name is $code', { timeout: 60_000 }, async ({ code, file }) => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    writeFileSync(path, file);
    expectRefusal(await importFails(path, folder.path), code);
  });

  test('what is not there, and a folder without a machine', async () => {
    using folder = temporaryFolder();
    expectRefusal(await importFails(join(folder.path, 'none.ova'), folder.path), 'SourceNotFound');
    const empty = join(folder.path, 'empty');
    mkdirSync(empty);
    expectRefusal(await importFails(empty, folder.path), 'NotAnOva');
  });

  test('a folder whose disk is a link, and one with two descriptors', async () => {
    using folder = temporaryFolder();
    for (const { name, bytes } of buildOvaFiles({ ...spec, contents: {} }))
      writeFileSync(join(folder.path, name), bytes);
    symlinkSync('/etc/passwd', join(folder.path, 'disk.vmdk'));
    expectRefusal(await importFails(folder.path, join(folder.path, 'to')), 'ArchiveMemberUnsafe');
    writeFileSync(join(folder.path, 'second.ovf'), buildOvf({ machines: spec.machines }));
    expectRefusal(await importFails(folder.path, join(folder.path, 'to')), 'MachineAmbiguous');
  });

  test('a machine and a deployment that are not there', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'a.ova');
    writeFileSync(path, good);
    expectRefusal(await importFails(path, folder.path, ['other']), 'MachineNotFound');
    expectRefusal(await importFails(path, folder.path, ['--deployment', 'huge']), 'DeploymentUnknown');
  });
});

/** qemu-img measures the CPU to choose the strength of a LUKS key and gives up when the clock is too coarse: "Unable to get accurate CPU usage". */
function createPatiently(...args: string[]): void {
  for (let tries = 50; ; tries -= 1) {
    try {
      qemuImg(...args);
      return;
    } catch (error) {
      if (tries === 0 || !String(error).includes('accurate CPU usage')) throw error;
    }
  }
}

describe.skipIf(!requireTool('qemu-img'))('disks that qemu-img makes and we refuse by name', () => {
  test.each([
    [
      'an encrypted qcow2',
      'DiskEncrypted',
      [
        '-f',
        'qcow2',
        '--object',
        'secret,id=s,data=x',
        '-o',
        'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10',
      ],
    ],
    ['a qcow2 with a backing file', 'DiskHasParent', ['-f', 'qcow2', '-b', 'base.raw', '-F', 'raw']],
    ['a qcow2 with an external data file', 'DiskFormatUnsupported', ['-f', 'qcow2', '-o', 'data_file=data.raw']],
    ['a VMDK with a parent', 'DiskHasParent', ['-f', 'vmdk', '-b', 'base.vmdk', '-F', 'vmdk']],
  ] as const)('%s is %s', async (_name, code, args) => {
    using folder = temporaryFolder();
    qemuImg('create', '-q', '-f', 'raw', join(folder.path, 'base.raw'), '1M');
    qemuImg('create', '-q', '-f', 'vmdk', join(folder.path, 'base.vmdk'), '1M');
    const path = join(folder.path, `disk.${args[1]}`);
    createPatiently(
      'create',
      '-q',
      ...args.map((each) =>
        each.replace(/^base\./, `${folder.path}/base.`).replace('=data.raw', `=${folder.path}/data.raw`),
      ),
      path,
      '1M',
    );
    expectRefusal(await importFails(path, folder.path), code);
  });
});

describe('bad servers', () => {
  const serve = (options: Partial<HttpFileServerOptions> = {}) =>
    HttpFileServer.start({ files: { '/a.ova': good }, ...options });

  test.each([
    ['asks for a password', 'SourceAuthRequired', { answers: { status: 401 } }],
    ['forbids', 'SourceForbidden', { answers: { status: 403 } }],
    ['has nothing there', 'SourceNotFound', { answers: { status: 404 } }],
    ['is busy for ever', 'SourceBusy', { answers: { status: 503 } }],
    ['redirects for ever', 'SourceRedirectLoop', { redirects: (path: string) => `${path}x` }],
    ['redirects out of HTTP', 'SourceRedirectRefused', { redirects: () => 'file:///etc/passwd' }],
    ['always closes at once', 'SourceClosedEarly', { closesAfter: { bytes: 0 } }],
    ['ignores ranges later on', 'SourceRangeIgnored', { ignoresRangesAfter: 2 }],
    ['claims another range', 'SourceRangeIgnored', { contentRange: 'bytes 7-9/10' }],
  ] as const)('one that %s is %s', { timeout: 120_000 }, async (_what, code, faults) => {
    using folder = temporaryFolder();
    await using server = await serve({ faults });
    expectRefusal(await importFails(server.url('/a.ova'), folder.path), code);
  });

  test('one that ignores ranges is read in one pass', async () => {
    using folder = temporaryFolder();
    await using server = await serve({ faults: { ignoresRanges: true } });
    expect(await importFails(server.url('/a.ova'), folder.path)).toMatchObject({ status: 0, left: ['vm'] });
    // One pass, and the question at the end whether the file is still the same.
    expect(server.requests.length).toBeLessThanOrEqual(2);
  });

  test('one that fails now and then is borne', async () => {
    using folder = temporaryFolder();
    await using server = await serve({
      faults: { closesAfter: { bytes: 100_000, times: 3 }, answers: { status: 503, times: 0 } },
    });
    expect(await importFails(server.url('/a.ova'), folder.path)).toMatchObject({ status: 0, left: ['vm'] });
  });

  test('credentials come from the environment and are never shown', async () => {
    using folder = temporaryFolder();
    await using server = await serve({ credentials: { user: 'kim', password: 'sesame-17' } });
    const refused = await importFails(server.url('/a.ova'), folder.path, ['--user', 'kim'], {
      AIRLIFT_PASSWORD: 'wrong-18',
    });
    expectRefusal(refused, 'SourceAuthRequired');
    const result = await importFails(server.url('/a.ova'), folder.path, ['--user', 'kim'], {
      AIRLIFT_PASSWORD: 'sesame-17',
    });
    expect(result).toMatchObject({ status: 0, left: ['vm'] });
    expect(refused.stderr + result.stdout + result.stderr).not.toMatch(/sesame-17|wrong-18/);
  });

  test('a certificate nobody vouches for is refused, and trusted with its CA', async () => {
    using folder = temporaryFolder();
    const tls = makeSelfSignedCertificate();
    await using server = await serve({ tls });
    expectRefusal(await importFails(server.url('/a.ova'), folder.path), 'SourceCertificateUntrusted');
    const ca = join(folder.path, 'ca.pem');
    writeFileSync(ca, tls.certificatePem);
    expect(await importFails(server.url('/a.ova'), folder.path, ['--ca', ca])).toMatchObject({
      status: 0,
      left: ['vm'],
    });
    using other = temporaryFolder();
    const insecure = await importFails(server.url('/a.ova'), other.path, ['--insecure']);
    expect(insecure).toMatchObject({ status: 0 });
    expect(insecure.stderr).toContain('SourceTlsUnverified');
  });

  test('Ctrl-C stops cleanly and says how to continue; a source that changed since is named; --restart begins anew', async () => {
    using folder = temporaryFolder();
    await using server = await serve({ faults: { bytesPerSecond: MIB } });
    const out = join(folder.path, 'out');
    const running = startCli(['import', server.url('/a.ova'), '--to', `dir:${out}?format=raw`, '--yes']);
    while (server.bytesSent < 1_500_000 && running.process.exitCode === null) await delay(10);
    running.process.kill('SIGINT');
    const stopped = await running.result;
    expect(stopped).toMatchObject({ status: 130, stdout: '' });
    expect(stopped.stderr).toContain('stopping cleanly');
    expect(stopped.stderr).toContain(`airlift import ${server.url('/a.ova')}`);
    expect(readdirSync(out)).toEqual(['vm.partial']);

    server.faults = {};
    server.etag = '"second"';
    expectRefusal(await importFails(server.url('/a.ova'), folder.path), 'SourceChanged');
    expect(readdirSync(out)).toEqual(['vm.partial']);
    expect(await importFails(server.url('/a.ova'), folder.path, ['--restart'])).toMatchObject({
      status: 0,
      left: ['vm'],
    });
  });
});
