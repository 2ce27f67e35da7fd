import { createHash, sign as createSignature } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../domain/finding.ts';
import type { Disk, Machine } from '../../domain/machine.ts';
import { decodePiece } from '../../formats/decode-piece.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import type { Source } from '../../ports/source.ts';
import { readWholeDisk } from '../../testing/apply-disk-reader.ts';
import { collect } from '../../testing/collect.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { type HttpFaults, HttpFileServer, type HttpFileServerOptions } from '../../testing/http-file-server.ts';
import { buildOva, buildOvaFiles, buildTar, type OvaSpec, type OvfDiskSpec } from '../../testing/ova-builder.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { makeSelfSignedCertificate } from '../../testing/self-signed-certificate.ts';
import { buildSparse, contentOf, type SparseSpec } from '../../testing/vmdk-builder.ts';
import type { OpenOvaSourceOptions } from './make-source.ts';
import { openOvaSource } from './open-ova-source.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const random = seededRandom(3);
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

function vmdkSpec(virtualSizeBytes: number): SparseSpec {
  const grains = new Map([0, 2, 5].map((index) => [index, randomBytes(random, 64 * KIB)]));
  return { virtualSizeBytes, grains, compressed: true, tables: 'behind' };
}
const firstSpec = vmdkSpec(1 * MIB);
const first = buildSparse(firstSpec).bytes;
const firstContent = contentOf(firstSpec);
const second = randomBytes(random, 300 * KIB);
const firstDisk: OvfDiskSpec = { fileName: 'disk1.vmdk', capacityBytes: 1 * MIB };
const secondDisk: OvfDiskSpec = { fileName: 'disk2.raw', capacityBytes: 300 * KIB, format: 'raw' };

function specOf(more: Partial<OvaSpec> = {}): OvaSpec {
  return {
    machines: [{ id: 'vm', disks: [firstDisk, secondDisk] }],
    contents: { 'disk1.vmdk': first, 'disk2.raw': second },
    manifest: 'sha256',
    ...more,
  };
}

async function makeFolder(files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'airlift-ova-'));
  stack.push({ [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }) });
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
  return folder;
}

async function openSource(location: string, options: Partial<OpenOvaSourceOptions> = {}): Promise<Source> {
  const source = await openOvaSource({ location, clock: new FakeClock(), random: () => 0, ...options });
  stack.push(source);
  return source;
}

async function openLocalOva(bytes: Uint8Array, options: Partial<OpenOvaSourceOptions> = {}): Promise<Source> {
  return await openSource(join(await makeFolder({ 'app.ova': bytes }), 'app.ova'), options);
}

async function serve(
  files: Readonly<Record<string, Uint8Array>>,
  faults: HttpFaults = {},
  more: Partial<HttpFileServerOptions> = {},
): Promise<HttpFileServer> {
  const server = await HttpFileServer.start({ files, faults, ...more });
  stack.push(server);
  return server;
}

function filesByName(spec: OvaSpec): Record<string, Uint8Array> {
  return Object.fromEntries(buildOvaFiles(spec).map(({ name, bytes }) => [name, bytes]));
}

const underRoot = (files: Readonly<Record<string, Uint8Array>>) =>
  Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`/${name}`, bytes]));

async function findingsOf(source: Source, ref?: string): Promise<Finding[]> {
  return await collect(source.preflight(await source.inspect(ref)));
}

const codesOf = (findings: readonly Finding[]) => findings.map(({ severity, code }) => `${severity} ${code}`);

function diskOf(machine: Machine, index: number): Disk {
  const disk = machine.disks[index];
  if (!disk) throw new Error(`no disk ${index}`);
  return disk;
}

async function readDisk(source: Source, machine: Machine, index: number): Promise<Buffer> {
  const disk = diskOf(machine, index);
  await using reader = await source.openDisk(machine, disk);
  return await readWholeDisk(reader, decodePiece);
}

function expectDigest(reader: DiskReader, stored: Uint8Array): void {
  const hex = createHash('sha256').update(stored).digest('hex');
  expect(reader.files[0]?.expectedDigests).toEqual([
    { name: reader.files[0]?.name, algorithm: 'sha256', hex, storedBytes: stored.length },
  ]);
}

describe('a local .ova', () => {
  it('tells its machines and gives its disks with their digests', async () => {
    const source = await openLocalOva(buildOva(specOf()));
    expect(source.isStreamed).toBe(false);
    expect(source.lateDigests).toBeUndefined();
    expect(await collect(source.listMachines())).toEqual([
      { id: 'vm', name: 'vm', diskCount: 2, virtualSizeBytes: 1 * MIB + 300 * KIB },
    ]);
    const machine = await source.inspect(undefined);
    expect(await collect(source.preflight(machine))).toEqual([]);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    expect(Buffer.compare(await readDisk(source, machine, 1), second)).toBe(0);
    const disk = diskOf(machine, 0);
    await using reader = await source.openDisk(machine, disk);
    expectDigest(reader, first);
    expect(reader.files[0]?.origin?.file.path).toMatch(/app\.ova$/);
    expect(await reader.readContentId()).toBe(reader.contentId);
  });

  it('finds a machine by id or name, and lists what there is otherwise', async () => {
    const machines = [
      { id: 'vm-1', name: 'web' },
      { id: 'vm-2', name: 'db' },
      { id: 'vm-3', name: 'db' },
    ];
    const source = await openLocalOva(buildOva({ machines, contents: {} }));
    expect((await source.inspect('vm-2')).name).toBe('db');
    expect((await source.inspect('web')).id).toBe('vm-1');
    const listed = 'vm-1 (web), vm-2 (db), vm-3 (db)';
    for (const [ref, code] of [
      ['db', 'MachineAmbiguous'],
      [undefined, 'MachineAmbiguous'],
      ['mail', 'MachineNotFound'],
    ] as const) {
      await expect(source.inspect(ref)).rejects.toMatchObject({ code, message: expect.stringContaining(listed) });
    }
  });

  it('is refused with the reason when it is something else', async () => {
    const folder = await makeFolder({
      'text.ova': Buffer.from('hello'),
      'empty.ova': Buffer.alloc(0),
      'no.ova': buildTar([{ name: 'x', bytes: second }]),
    });
    for (const name of ['text.ova', 'empty.ova', 'no.ova']) {
      const source = await openSource(join(folder, name));
      await expect(source.inspect(undefined)).rejects.toMatchObject({ code: 'NotAnOva' });
    }
    await expect(openSource(join(folder, 'missing.ova'))).rejects.toMatchObject({ code: 'SourceNotFound' });
    await expect(openSource('vsphere://vcenter/vm')).rejects.toMatchObject({ code: 'SourceKindUnsupported' });
    await expect(openSource('/dev/null')).rejects.toMatchObject({ code: 'SourceKindUnsupported' });
  });
});

describe('preflight', () => {
  it('tells everything it finds, not only the first', async () => {
    const bytes = buildOva(
      specOf({
        machines: [
          {
            id: 'vm',
            disks: [
              { ...firstDisk, capacityBytes: 2 * MIB },
              { fileName: 'gone.vmdk', capacityBytes: MIB },
              { fileName: 'odd.vmdk', capacityBytes: MIB },
              { capacityBytes: MIB },
              secondDisk,
            ],
          },
        ],
        contents: { 'disk1.vmdk': first, 'disk2.raw': second, 'odd.vmdk': randomBytes(random, 5000) },
        wrongDigests: ['appliance.ovf'],
        unlisted: ['disk2.raw'],
      }),
    );
    const findings = await findingsOf(await openLocalOva(bytes));
    expect(codesOf(findings)).toEqual([
      'blocker DigestMismatch',
      'warning DiskSizeMismatch',
      'blocker DiskFileMissing',
      'blocker DiskFormatUnknown',
      'note DiskEmpty',
      'warning ManifestIncomplete',
    ]);
    expect(findings[1]?.message).toContain(`has ${2 * MIB} bytes by the descriptor and ${MIB} by its image disk1.vmdk`);
    expect(findings[2]?.message).toContain('"gone.vmdk" is not in');
  });

  it('W28: says that there is no manifest, or that it cannot be understood', async () => {
    const spec = specOf();
    const { manifest: _, ...without } = spec;
    expect(codesOf(await findingsOf(await openLocalOva(buildOva(without))))).toEqual(['warning ManifestMissing']);
    const files = buildOvaFiles(without).concat({ name: 'appliance.mf', bytes: Buffer.from('nonsense') });
    expect(codesOf(await findingsOf(await openLocalOva(buildTar(files))))).toEqual(['blocker ManifestMalformed']);
  });

  it('blocks on a signature that does not fit the manifest', async () => {
    const sign = () =>
      Buffer.from(`SHA256(appliance.mf)= ${'ab'.repeat(256)}\n${makeSelfSignedCertificate().certificatePem}`);
    expect(codesOf(await findingsOf(await openLocalOva(buildOva(specOf({ sign })))))).toEqual([
      'blocker SignatureInvalid',
    ]);
  });

  it('notes a signer that nothing vouches for, and is silent about a trusted one', async () => {
    const signer = makeSelfSignedCertificate();
    const sign = (manifest: Uint8Array, name: string) => {
      const hex = createSignature('sha256', manifest, signer.keyPem).toString('hex');
      return Buffer.from(`SHA256(${name})= ${hex}\n${signer.certificatePem}`);
    };
    const bytes = buildOva(specOf({ sign }));
    const clock = new FakeClock();
    clock.ms = Date.now();
    expect(codesOf(await findingsOf(await openLocalOva(bytes, { clock })))).toEqual(['note SignatureUntrusted']);
    const signatureCaPem = [signer.certificatePem];
    expect(codesOf(await findingsOf(await openLocalOva(bytes, { clock, signatureCaPem })))).toEqual([]);
  });

  it('warns about a server whose identity or state of files nothing proves', async () => {
    const tls = makeSelfSignedCertificate();
    const server = await serve(
      { '/app.ova': buildOva(specOf()) },
      {},
      { tls, etag: undefined, lastModified: undefined },
    );
    const source = await openSource(server.url('/app.ova'), { insecure: true });
    expect(codesOf(await findingsOf(source))).toEqual(['warning SourceTlsUnverified', 'warning SourceUnproven']);
  });

  it('throws when it could not look', async () => {
    const server = await serve({ '/app.ova': buildOva(specOf()) });
    const source = await openSource(server.url('/app.ova'), { tries: 1 });
    const machine = await source.inspect(undefined);
    server.faults = { answers: { status: 503 } };
    await expect(collect(source.preflight(machine))).rejects.toMatchObject({ code: 'SourceBusy' });
  });
});

describe('a folder or an .ovf', () => {
  it('gives the same disks, also chunked, compressed and in folders below', async () => {
    const disks: OvfDiskSpec[] = [
      { ...firstDisk, compression: 'gzip', chunkBytes: 50_000 },
      { ...secondDisk, chunkBytes: 100_000 },
      { fileName: 'sub/disk3.raw', capacityBytes: second.length, compression: 'gzip', format: 'raw' },
    ];
    const contents = { 'disk1.vmdk': first, 'disk2.raw': second, 'sub/disk3.raw': second };
    const files = filesByName(specOf({ machines: [{ id: 'vm', disks }], contents }));
    const folder = await makeFolder(files);
    for (const location of [folder, join(folder, 'appliance.ovf')]) {
      const source = await openSource(location);
      expect(await findingsOf(source)).toEqual([]);
      const machine = await source.inspect(undefined);
      expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
      expect(Buffer.compare(await readDisk(source, machine, 1), second)).toBe(0);
      expect(Buffer.compare(await readDisk(source, machine, 2), second)).toBe(0);
      const disk = diskOf(machine, 1);
      await using reader = await source.openDisk(machine, disk);
      const digests = reader.files[0]?.expectedDigests ?? [];
      expect(digests.map(({ name, storedBytes }) => [name, storedBytes])).toEqual([
        ['disk2.raw.000000000', 100_000],
        ['disk2.raw.000000001', 100_000],
        ['disk2.raw.000000002', 100_000],
        ['disk2.raw.000000003', 7200],
      ]);
    }
    await rm(join(folder, 'disk2.raw.000000001'));
    const findings = await findingsOf(await openSource(folder));
    expect(findings).toMatchObject([
      { code: 'DiskFileMissing', message: expect.stringContaining('disk2.raw.000000001') },
    ]);
  });

  it('finds the extents that a disk image names, and refuses those elsewhere', async () => {
    const descriptor = (extent: string) =>
      Buffer.from(
        `# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW ${second.length / 512} FLAT "${extent}" 0\n`,
      );
    const disks: OvfDiskSpec[] = [{ fileName: 'disk.vmdk', capacityBytes: second.length }];
    const spec = specOf({ machines: [{ id: 'vm', disks }], contents: { 'disk.vmdk': descriptor('disk-flat.vmdk') } });
    const folder = await makeFolder({ ...filesByName(spec), 'disk-flat.vmdk': second });
    const source = await openSource(folder);
    expect(Buffer.compare(await readDisk(source, await source.inspect(undefined), 0), second)).toBe(0);
    await writeFile(join(folder, 'disk.vmdk'), descriptor('missing.vmdk'));
    expect((await findingsOf(await openSource(folder))).map(({ code }) => code)).toContain('DiskFileMissing');
    await writeFile(join(folder, 'disk.vmdk'), descriptor('../disk-flat.vmdk'));
    expect((await findingsOf(await openSource(folder))).map(({ code }) => code)).toContain('ArchiveMemberUnsafe');
  });
});

describe('a lone disk image', () => {
  it('becomes a small machine, and a finding says so', async () => {
    const folder = await makeFolder({ 'web.vmdk': first, 'data.raw': second });
    const source = await openSource(join(folder, 'web.vmdk'));
    const machine = await source.inspect(undefined);
    expect(machine).toMatchObject({
      name: 'web',
      memoryBytes: 1024 * MIB,
      firmware: 'bios',
      controllers: [{ bus: 'sata' }],
    });
    expect(machine.disks).toMatchObject([{ fileName: 'web.vmdk', virtualSizeBytes: MIB }]);
    expect(codesOf(await collect(source.preflight(machine)))).toEqual(['note MachineAssumed']);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    await expect(source.inspect('other')).rejects.toMatchObject({ code: 'MachineNotFound' });
    const raw = await openSource(join(folder, 'data.raw'));
    expect(Buffer.compare(await readDisk(raw, await raw.inspect('data'), 0), second)).toBe(0);
  });

  it('comes over HTTP in one request even without ranges', async () => {
    const server = await serve({ '/web.vmdk': first }, { ignoresRanges: true });
    const source = await openSource(server.url('/web.vmdk'));
    expect(source.isStreamed).toBe(true);
    const machine = await source.inspect(undefined);
    expect(codesOf(await collect(source.preflight(machine)))).toEqual(['note MachineAssumed']);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    expect(server.requests).toHaveLength(1);
    await source[Symbol.asyncDispose]();
    expect(await server.waitForClients()).toBe(0);
  });
});

describe('an .ova behind a server with ranges', () => {
  it('costs less than a MiB to inspect, however large it is', async () => {
    const big = new Uint8Array(64 * MIB);
    const disks = [firstDisk, { fileName: 'big.raw', capacityBytes: big.length, format: 'raw' }];
    const spec = specOf({ machines: [{ id: 'vm', disks }], contents: { 'disk1.vmdk': first, 'big.raw': big } });
    const server = await serve({ '/app.ova': buildOva(spec) });
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    expect(await collect(source.preflight(machine))).toEqual([]);
    expect(server.bytesSent).toBeLessThan(MIB);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    expect(server.bytesSent).toBeLessThan(2 * MIB);
    await source[Symbol.asyncDispose]();
    expect(await server.waitForClients()).toBe(0);
  });

  it('notices a file that changed since it was opened', async () => {
    const server = await serve({ '/app.ova': buildOva(specOf()) });
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    const disk = diskOf(machine, 0);
    await using reader = await source.openDisk(machine, disk);
    expect(await reader.readContentId()).toBe(reader.contentId);
    server.etag = '"second"';
    expect(await reader.readContentId()).not.toBe(reader.contentId);
    await expect(readWholeDisk(reader, decodePiece)).rejects.toMatchObject({ code: 'SourceChanged' });
  });

  it('has the same content id in a later run', async () => {
    const server = await serve({ '/app.ova': buildOva(specOf()) });
    const idOf = async (url: string) => {
      const source = await openSource(url);
      const machine = await source.inspect(undefined);
      const disk = diskOf(machine, 0);
      await using reader = await source.openDisk(machine, disk);
      return reader.contentId;
    };
    const id = await idOf(server.url('/app.ova'));
    expect(await idOf(server.url('/app.ova?token=other').replace('://', '://joe:secret@'))).toBe(id);
    expect(id).not.toMatch(/secret|joe|token/);
  });

  it('reads an .ovf and the files beside it', async () => {
    const server = await serve(underRoot(filesByName(specOf())));
    const source = await openSource(server.url('/appliance.ovf'));
    expect(await findingsOf(source)).toEqual([]);
    const machine = await source.inspect(undefined);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    server.files.delete('/disk2.raw');
    expect(codesOf(await findingsOf(await openSource(server.url('/appliance.ovf'))))).toEqual([
      'blocker DiskFileMissing',
    ]);
  });

  it('takes a manifest that the server forbids for a missing one, as object stores answer', async () => {
    const faults = { answers: { status: 403, path: '/appliance.mf' } };
    const source = await openSource((await serve(underRoot(filesByName(specOf())), faults)).url('/appliance.ovf'));
    expect(codesOf(await findingsOf(source))).toEqual(['warning ManifestMissing']);
  });

  it('leaves no connection when it cannot be opened', async () => {
    const server = await serve({}, {});
    await expect(openSource(server.url('/app.ova'))).rejects.toMatchObject({ code: 'SourceNotFound' });
    expect(await server.waitForClients()).toBe(0);
  });

  it('shows its location without credentials', async () => {
    const credentials = { user: 'joe', password: 'secret' };
    const server = await serve({ '/app.ova': buildOva(specOf()) }, {}, { credentials });
    const source = await openSource(server.url('/app.ova').replace('://', '://joe:secret@'));
    expect(source.location).toBe(server.url('/app.ova'));
    await expect(openSource(server.url('/app.ova'))).rejects.toMatchObject({ code: 'SourceAuthRequired' });
  });
});

describe('an .ova behind a server without ranges', () => {
  const gzipped = { ...firstDisk, compression: 'gzip' } as const;

  it('takes one request for everything, in the order of the archive', async () => {
    const third = randomBytes(random, 100 * KIB);
    const disks = [
      gzipped,
      secondDisk,
      { fileName: 'disk3.raw', capacityBytes: third.length, format: 'raw', chunkBytes: 40 * KIB },
    ];
    const contents = { 'disk1.vmdk': first, 'disk2.raw': second, 'disk3.raw': third };
    const server = await serve(
      { '/app.ova': buildOva(specOf({ machines: [{ id: 'vm', disks }], contents })) },
      { ignoresRanges: true },
    );
    const source = await openSource(server.url('/app.ova'));
    expect(source.isStreamed).toBe(true);
    const machine = await source.inspect(undefined);
    expect(machine.disks.map(({ readingOrder }) => readingOrder)).toEqual([0, 1, 2]);
    expect(await collect(source.preflight(machine))).toEqual([]);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    expect(Buffer.compare(await readDisk(source, machine, 1), second)).toBe(0);
    expect(Buffer.compare(await readDisk(source, machine, 2), third)).toBe(0);
    expect(server.requests).toHaveLength(1);
    await source[Symbol.asyncDispose]();
    expect(await server.waitForClients()).toBe(0);
  });

  it('knows the digests of an early manifest at once', async () => {
    const server = await serve({ '/app.ova': buildOva(specOf()) }, { ignoresRanges: true });
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    for (const [index, stored] of [first, second].entries()) {
      const disk = diskOf(machine, index);
      await using reader = await source.openDisk(machine, disk);
      expectDigest(reader, stored);
    }
  });

  it('looks at the disk it stands at in preflight, and only at it', async () => {
    const disks = [
      { ...firstDisk, capacityBytes: 2 * MIB },
      { ...secondDisk, capacityBytes: MIB },
    ];
    const server = await serve(
      { '/app.ova': buildOva(specOf({ machines: [{ id: 'vm', disks }] })) },
      { ignoresRanges: true },
    );
    const source = await openSource(server.url('/app.ova'));
    expect(codesOf(await findingsOf(source))).toEqual(['warning DiskSizeMismatch']);
    expect(Buffer.compare(await readDisk(source, await source.inspect(undefined), 0), firstContent)).toBe(0);
    expect(server.requests).toHaveLength(1);
  });

  it('does not go to the end for a file that an early manifest leaves out', async () => {
    const bytes = buildOva(specOf({ unlisted: ['disk1.vmdk'] }));
    const server = await serve({ '/app.ova': bytes }, { ignoresRanges: true });
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    await readDisk(source, machine, 0);
    expect(await source.lateDigests?.(machine, diskOf(machine, 0))).toEqual([]);
    await readDisk(source, machine, 1);
    expect(server.requests).toHaveLength(1);
  });

  it('reads a late manifest after the disks', async () => {
    const order = ['appliance.ovf', 'disk1.vmdk', 'disk2.raw', 'appliance.mf'];
    const server = await serve({ '/app.ova': buildOva(specOf({ order })) }, { ignoresRanges: true });
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    expect(await collect(source.preflight(machine))).toEqual([]);
    for (const [index, stored] of [first, second].entries()) {
      const disk = diskOf(machine, index);
      await using reader = await source.openDisk(machine, disk);
      await readWholeDisk(reader, decodePiece);
      const late = await source.lateDigests?.(machine, disk);
      const hex = createHash('sha256').update(stored).digest('hex');
      expect(late).toEqual([{ name: disk.fileName, algorithm: 'sha256', hex, storedBytes: stored.length }]);
    }
    // One pass to the end with the first disk, one more for the second.
    expect(server.requests).toHaveLength(2);
  });

  it('says at the end what preflight would have said about a late manifest', async () => {
    const order = ['appliance.ovf', 'disk1.vmdk', 'disk2.raw'];
    const bytes = buildOva(specOf({ order, wrongDigests: ['appliance.ovf'] }));
    const server = await serve({ '/app.ova': bytes }, { ignoresRanges: true });
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    const disk = diskOf(machine, 0);
    await expect(source.lateDigests?.(machine, disk)).rejects.toMatchObject({ code: 'DigestMismatch' });
    const { manifest: _, ...without } = specOf();
    server.files.set('/app.ova', buildOva(without));
    const other = await openSource(server.url('/app.ova'));
    expect(await other.lateDigests?.(await other.inspect(undefined), disk)).toEqual([]);
  });

  it('begins again for a disk that lies before the place, and for a second look', async () => {
    const order = ['disk1.vmdk', 'appliance.ovf', 'appliance.mf', 'disk2.raw'];
    const server = await serve({ '/app.ova': buildOva(specOf({ order })) }, { ignoresRanges: true });
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    expect(Buffer.compare(await readDisk(source, machine, 1), second)).toBe(0);
    expect(server.requests).toHaveLength(1);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    expect(server.requests).toHaveLength(2);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    expect(server.requests).toHaveLength(3);
  });

  it('fails with the problem of the connection and can be begun again', async () => {
    const server = await serve({ '/app.ova': buildOva(specOf()) }, { ignoresRanges: true });
    server.faults = { ignoresRanges: true, closesAfter: { bytes: 150 * KIB, times: 1 } };
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    await expect(readDisk(source, machine, 1)).rejects.toMatchObject({ code: 'SourceClosedEarly' });
    expect(Buffer.compare(await readDisk(source, machine, 1), second)).toBe(0);
    server.etag = '"second"';
    await expect(readDisk(source, machine, 1)).rejects.toMatchObject({ code: 'SourceChanged' });
  });

  it('names an archive that is cut off, without a disk, or twice the same', async () => {
    const whole = buildOva(specOf());
    const server = await serve({ '/app.ova': whole.subarray(0, whole.length - 100 * KIB) }, { ignoresRanges: true });
    const cut = await openSource(server.url('/app.ova'));
    const machine = await cut.inspect(undefined);
    await expect(readDisk(cut, machine, 1)).rejects.toMatchObject({ code: 'ArchiveTruncated' });
    const { 'disk2.raw': _, ...without } = filesByName(specOf());
    server.files.set('/app.ova', buildTar(Object.entries(without).map(([name, bytes]) => ({ name, bytes }))));
    await expect(readDisk(await openSource(server.url('/app.ova')), machine, 1)).rejects.toMatchObject({
      code: 'DiskFileMissing',
    });
    const files = buildOvaFiles(specOf());
    const withoutManifest = files.filter(({ name }) => name !== 'appliance.mf');
    server.files.set('/app.ova', buildTar([...withoutManifest, ...files.slice(2)]));
    const twice = await openSource(server.url('/app.ova'));
    await expect(twice.lateDigests?.(machine, diskOf(machine, 1))).rejects.toMatchObject({
      code: 'ArchiveMemberDuplicate',
    });
  });

  it('is stopped by a signal while it waits for bytes', async () => {
    const server = await serve(
      { '/app.ova': buildOva(specOf()) },
      { ignoresRanges: true, stallsAfter: { bytes: 100 * KIB } },
    );
    const source = await openSource(server.url('/app.ova'));
    const machine = await source.inspect(undefined);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 50);
    const disk = diskOf(machine, 1);
    await expect(source.openDisk(machine, disk, { signal: controller.signal })).rejects.toThrow('enough');
    await source[Symbol.asyncDispose]();
    expect(await server.waitForClients()).toBe(0);
  });

  it('reads an .ovf and the files beside it, each in one request', async () => {
    const server = await serve(underRoot(filesByName(specOf())), { ignoresRanges: true });
    const source = await openSource(server.url('/appliance.ovf'));
    const machine = await source.inspect(undefined);
    expect(await collect(source.preflight(machine))).toEqual([]);
    expect(Buffer.compare(await readDisk(source, machine, 0), firstContent)).toBe(0);
    expect(Buffer.compare(await readDisk(source, machine, 1), second)).toBe(0);
    // appliance.cert does not exist.
    expect(server.requests.filter(({ status }) => status === 200).map(({ path }) => path)).toEqual([
      '/appliance.ovf',
      '/appliance.mf',
      '/disk1.vmdk',
      '/disk2.raw',
    ]);
  });

  it('refuses a disk that needs random access', async () => {
    const header = Buffer.alloc(64 * KIB);
    header.write('QFI\u00fb', 'latin1');
    header.writeUInt32BE(2, 4); // version
    header.writeUInt32BE(16, 20); // cluster bits
    header.writeBigUInt64BE(BigInt(MIB), 24); // size
    header.writeUInt32BE(1, 36); // L1 entries
    header.writeBigUInt64BE(0x30000n, 40); // L1 table
    header.writeBigUInt64BE(0x10000n, 48); // refcount table
    header.writeUInt32BE(1, 56); // its clusters
    const server = await serve({ '/disk.qcow2': header }, { ignoresRanges: true });
    const source = await openSource(server.url('/disk.qcow2'));
    await expect(source.inspect(undefined)).rejects.toMatchObject({ code: 'SourceRangesRequired' });
  });
});
