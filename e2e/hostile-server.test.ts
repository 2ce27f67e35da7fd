// Servers that break off, lie or refuse. What passes by itself is borne; everything else is named, with a remedy, and continues by the same command where it can.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isProblem, type ProblemCode } from '../src/domain/problems.ts';
import { systemClock } from '../src/main/system-clock.ts';
import { openOvaSource } from '../src/sources/ova/open-ova-source.ts';
import { type HttpFaults, HttpFileServer, type HttpFileServerOptions } from '../src/testing/http-file-server.ts';
import { buildOva, type OvaSpec } from '../src/testing/ova-builder.ts';
import { makeSelfSignedCertificate } from '../src/testing/self-signed-certificate.ts';
import { buildLargeDisk } from './large-disk.ts';
import { type AttemptOptions, attemptImport, expectRefused, inOneLine } from './refusal.ts';
import { temporaryFolder } from './support.ts';

const MIB = 1024 * 1024;
const PASSWORD = 'sesame-17-öffne dich';

let ova: Uint8Array;
let content: Buffer;
let spec: OvaSpec;

beforeAll(async () => {
  const disk = await buildLargeDisk({ virtualSizeBytes: 48 * MIB, dataBytes: 24 * MIB, seed: 7 });
  content = disk.content;
  spec = {
    machines: [{ id: 'vm', name: 'vm', disks: [{ fileName: 'disk.vmdk', capacityBytes: content.length }] }],
    contents: { 'disk.vmdk': disk.vmdk },
    manifest: 'sha256',
  };
  ova = buildOva(spec);
});

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

async function serve(faults: HttpFaults = {}, options: Partial<HttpFileServerOptions> = {}): Promise<HttpFileServer> {
  const server = await HttpFileServer.start({ files: { '/a.ova': ova }, faults, ...options });
  open.push(server);
  return server;
}

/** Imports and compares the whole disk with what the guest should see. */
async function expectImported(server: HttpFileServer, folder: string, options: AttemptOptions = {}): Promise<string> {
  const attempt = await attemptImport(server.url('/a.ova'), folder, options);
  expect({ status: attempt.status, stderr: attempt.stderr }).toEqual({ status: 0, stderr: attempt.stderr });
  expect(attempt.left).toEqual(['vm']);
  const written = readFileSync(join(attempt.out, 'vm', 'disk-0.raw'));
  expect(sha256(written)).toBe(sha256(content));
  return attempt.stdout + attempt.stderr;
}

describe('a server that', () => {
  test('closes midway once is asked for the rest only', async () => {
    using folder = temporaryFolder();
    const server = await serve({ closesAfter: { bytes: 3 * MIB, times: 1 } });
    await expectImported(server, folder.path);
    expect(server.bytesSent).toBeLessThan(ova.length + 2 * MIB);
  });

  test('closes midway every few bytes, but goes on each time, is borne as long as it gets further', async () => {
    using folder = temporaryFolder();
    await expectImported(await serve({ closesAfter: { bytes: 2 * MIB } }), folder.path);
  });

  test('never gives a byte of the disk any more is named after some tries; the same command continues', async () => {
    using folder = temporaryFolder();
    const server = await serve();
    server.beforeRequest = () => {
      if (server.bytesSent > ova.length / 2) server.faults = { closesAfter: { bytes: 0 } };
    };
    server.faults = { closesAfter: { bytes: Math.floor(ova.length / 2) + MIB } };
    const attempt = await attemptImport(server.url('/a.ova'), folder.path);
    expectRefused(attempt, 'SourceClosedEarly');
    expect(attempt.left).toEqual(['vm.partial']);

    const before = server.bytesSent;
    server.beforeRequest = undefined;
    server.faults = {};
    await expectImported(server, folder.path);
    expect(server.bytesSent - before).toBeLessThan(ova.length * 0.75);
    const report = JSON.parse(readFileSync(join(folder.path, 'out/vm/report.json'), 'utf8'));
    expect(report.disks[0].resumes).toBe(1);
  });

  test('ignores ranges is read in one pass', async () => {
    using folder = temporaryFolder();
    const server = await serve({ ignoresRanges: true });
    await expectImported(server, folder.path);
    expect(server.requests.filter(({ bodyBytes }) => bodyBytes > ova.length * 0.9)).toHaveLength(1);
  });

  test('ignores ranges and closes midway is named, and leaves nothing that looks finished', async () => {
    using folder = temporaryFolder();
    const server = await serve({ ignoresRanges: true, closesAfter: { bytes: 5 * MIB } });
    expectRefused(await attemptImport(server.url('/a.ova'), folder.path), 'SourceClosedEarly');
    server.faults = { ignoresRanges: true };
    await expectImported(server, folder.path);
  });

  test('ignores ranges and whose manifest comes last has its digests compared all the same', async () => {
    using folder = temporaryFolder();
    const order = ['appliance.ovf', 'disk.vmdk', 'appliance.mf'];
    const server = await serve({ ignoresRanges: true }, { files: { '/a.ova': buildOva({ ...spec, order }) } });
    await expectImported(server, folder.path);
    using other = temporaryFolder();
    const wrong = buildOva({ ...spec, order, wrongDigests: ['disk.vmdk'] });
    const liar = await serve({ ignoresRanges: true }, { files: { '/a.ova': wrong } });
    expectRefused(await attemptImport(liar.url('/a.ova'), other.path), 'DigestMismatch');
  });

  test('answers a later range with the whole file is not believed', async () => {
    using folder = temporaryFolder();
    const server = await serve({ ignoresRangesAfter: 3 });
    expectRefused(await attemptImport(server.url('/a.ova'), folder.path), 'SourceRangeIgnored');
  });

  test('sends other bytes than it announces is not believed', async () => {
    using folder = temporaryFolder();
    const server = await serve({ contentRange: 'bytes 7-9/10' });
    expectRefused(await attemptImport(server.url('/a.ova'), folder.path), 'SourceRangeIgnored');
  });

  test('packs what it sends is not believed', async () => {
    using folder = temporaryFolder();
    const server = await serve({ contentEncoding: 'gzip' });
    expectRefused(await attemptImport(server.url('/a.ova'), folder.path), 'SourceRangeIgnored');
  });

  test('changes the file midway is noticed, and nothing of both is mixed', async () => {
    using folder = temporaryFolder();
    const server = await serve({ closesAfter: { bytes: 4 * MIB } });
    server.beforeRequest = () => {
      if (server.bytesSent > ova.length / 3) server.etag = '"second"';
    };
    const attempt = await attemptImport(server.url('/a.ova'), folder.path);
    expectChanged(attempt);
    server.beforeRequest = undefined;
    server.faults = {};
    const again = await attemptImport(server.url('/a.ova'), folder.path, { args: ['--restart'] });
    expect(again).toMatchObject({ status: 0, left: ['vm'] });
  });

  test('is stopped and serves another file afterwards: refused, until --restart', async () => {
    using folder = temporaryFolder();
    const server = await serve();
    server.faults = { closesAfter: { bytes: 6 * MIB, times: 1 } };
    server.beforeRequest = () => {
      if (server.bytesSent > 6 * MIB) server.faults = { answers: { status: 503 } };
    };
    expectRefused(await attemptImport(server.url('/a.ova'), folder.path), 'SourceBusy');
    server.beforeRequest = undefined;
    server.faults = {};
    server.etag = '"second"';
    expectChanged(await attemptImport(server.url('/a.ova'), folder.path));
    await expectImported(server, folder.path, { args: ['--restart'] });
  });

  test('fails twice with 503 is borne', async () => {
    using folder = temporaryFolder();
    const server = await serve({ answers: { status: 503, times: 2 } });
    await expectImported(server, folder.path);
  });

  test.each<[string, ProblemCode, HttpFaults]>([
    ['answers 401', 'SourceAuthRequired', { answers: { status: 401 } }],
    ['answers 403', 'SourceForbidden', { answers: { status: 403 } }],
    ['answers 404', 'SourceNotFound', { answers: { status: 404 } }],
    ['answers 410', 'SourceNotFound', { answers: { status: 410 } }],
    ['answers 500 for ever', 'SourceFailed', { answers: { status: 500 } }],
    ['answers 503 for ever', 'SourceBusy', { answers: { status: 503 } }],
    ['answers 400', 'SourceFailed', { answers: { status: 400 } }],
    ['redirects to itself', 'SourceRedirectLoop', { redirects: (path) => path }],
    ['redirects for ever', 'SourceRedirectLoop', { redirects: (path) => `${path}x` }],
    ['redirects to a file', 'SourceRedirectRefused', { redirects: () => 'file:///etc/passwd' }],
    ['redirects to FTP', 'SourceRedirectRefused', { redirects: () => 'ftp://127.0.0.1/a.ova' }],
    ['redirects to nowhere', 'SourceRedirectRefused', { redirects: () => 'http://:::' }],
  ])('%s is %s', async (_what, code, faults) => {
    using folder = temporaryFolder();
    const server = await serve(faults);
    expectRefused(await attemptImport(server.url('/a.ova'), folder.path), code);
  });

  test('redirects from https to http is refused', async () => {
    using folder = temporaryFolder();
    const plain = await serve();
    const tls = makeSelfSignedCertificate();
    const secure = await serve({ redirects: () => plain.url('/a.ova') }, { tls });
    const attempt = await attemptImport(secure.url('/a.ova'), folder.path, { args: ['--insecure'] });
    expectRefused(attempt, 'SourceRedirectRefused');
    expect(plain.requests).toEqual([]);
  });

  test('is not there is told at once', async () => {
    using folder = temporaryFolder();
    const server = await serve();
    const url = server.url('/a.ova');
    await server[Symbol.asyncDispose]();
    open.splice(0);
    expectRefused(await attemptImport(url, folder.path), 'SourceUnreachable');
  });
});

describe('a server that sends nothing more', () => {
  // In this process: the command line waits for 30 s, and nobody else should have to.
  const read = async (server: HttpFileServer) => {
    await using source = await openOvaSource({
      location: server.url('/a.ova'),
      clock: systemClock,
      stallMs: 300,
      tries: 2,
    });
    const machine = await source.inspect(undefined);
    const [disk] = machine.disks;
    if (!disk) throw new Error('the machine has no disk');
    await using reader = await source.openDisk(machine, disk);
    let bytes = 0;
    for await (const range of reader.ranges()) {
      for await (const piece of reader.files[range.file]?.stream({
        from: range.fileOffset,
        to: range.fileOffset + range.fileBytes,
      }) ?? []) {
        bytes += piece.length;
      }
    }
    return bytes;
  };
  const codeOf = async (reading: Promise<unknown>) => {
    try {
      await reading;
      return 'read';
    } catch (error) {
      return isProblem(error) ? error.code : String(error);
    }
  };

  test.each([
    ['from the beginning', { stallsAfter: { bytes: -1 } }],
    ['after the head of its answer', { stallsAfter: { bytes: 0 } }],
    ['and ignores ranges', { ignoresRanges: true, stallsAfter: { bytes: 100_000 } }],
  ])('%s is SourceStalled', { timeout: 20_000 }, async (_where, faults) => {
    expect(await codeOf(read(await serve(faults)))).toBe('SourceStalled');
  });

  test('once is asked again', { timeout: 20_000 }, async () => {
    const server = await serve({ stallsAfter: { bytes: 700_000, times: 1 } });
    expect(await codeOf(read(server))).toBe('read');
  });
});

describe('credentials', () => {
  const credentials = { user: 'kim', password: PASSWORD };

  test('without any, the command says where to put them', async () => {
    using folder = temporaryFolder();
    const server = await serve({}, { credentials });
    const attempt = await attemptImport(server.url('/a.ova'), folder.path);
    expectRefused(attempt, 'SourceAuthRequired');
    expect(inOneLine(attempt.stderr)).toContain('AIRLIFT_PASSWORD');
  });

  test('come from the environment or a file and are never shown, right or wrong', async () => {
    const server = await serve({}, { credentials });
    const secrets = /sesame|wrong-18|c2VzYW1l/;
    using wrong = temporaryFolder();
    const refused = await attemptImport(server.url('/a.ova'), wrong.path, {
      args: ['--user', 'kim', '--debug'],
      env: { AIRLIFT_PASSWORD: 'wrong-18' },
    });
    expectRefused(refused, 'SourceAuthRequired');
    using folder = temporaryFolder();
    const given = { args: ['--user', 'kim', '--debug'], env: { AIRLIFT_PASSWORD: PASSWORD } };
    const said = await expectImported(server, folder.path, given);
    using other = temporaryFolder();
    const passwordFile = join(other.path, 'password');
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    const more = await expectImported(server, other.path, { args: ['--user', 'kim', '--password-file', passwordFile] });
    const kept = ['report.json', 'report.md', 'machine.yaml'].map((name) =>
      readFileSync(join(folder.path, 'out/vm', name), 'utf8'),
    );
    expect([refused.stdout, refused.stderr, said, more, ...kept].join('\n')).not.toMatch(secrets);
  });

  test('in the address are used and never shown, not even in the command to continue with or in a checkpoint', async () => {
    using folder = temporaryFolder();
    const server = await serve(
      { closesAfter: { bytes: 6 * MIB, times: 1 } },
      { credentials: { user: 'kim', password: 'sesame-17' } },
    );
    server.beforeRequest = () => {
      if (server.bytesSent > 6 * MIB) server.faults = { answers: { status: 503 } };
    };
    const address = server.url('/a.ova').replace('//', '//kim:sesame-17@');
    const attempt = await attemptImport(address, folder.path, { args: ['--debug'] });
    expectRefused(attempt, 'SourceBusy');
    expect(attempt.left).toEqual(['vm.partial']);
    const state = readFileSync(join(attempt.out, 'vm.partial', 'disk-0.state'), 'latin1');
    expect(attempt.stderr + state).not.toContain('sesame-17');
    server.beforeRequest = undefined;
    server.faults = {};
    const done = await attemptImport(address, folder.path);
    expect(done).toMatchObject({ status: 0, left: ['vm'] });
    const report = readFileSync(join(done.out, 'vm', 'report.json'), 'utf8');
    expect(done.stdout + done.stderr + report).not.toContain('sesame-17');
  });

  test('are not sent on to another server', async () => {
    using folder = temporaryFolder();
    const other = await serve();
    const server = await serve({ redirects: () => other.url('/a.ova') }, { credentials });
    await attemptImport(server.url('/a.ova'), folder.path, {
      args: ['--user', 'kim'],
      env: { AIRLIFT_PASSWORD: PASSWORD },
    });
    expect(other.requests.length).toBeGreaterThan(0);
    expect(other.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

describe('certificates', () => {
  test('one that nobody vouches for is refused before anything is asked, and trusted with its CA', async () => {
    using folder = temporaryFolder();
    const tls = makeSelfSignedCertificate();
    const server = await serve({}, { tls });
    expectRefused(await attemptImport(server.url('/a.ova'), folder.path), 'SourceCertificateUntrusted');
    expect(server.requests).toEqual([]);
    const ca = join(folder.path, 'ca.pem');
    writeFileSync(ca, tls.certificatePem);
    await expectImported(server, folder.path, { args: ['--ca', ca] });
  });

  test('--insecure works and says so each time, in the report too', async () => {
    using folder = temporaryFolder();
    const server = await serve({}, { tls: makeSelfSignedCertificate() });
    expect(await expectImported(server, folder.path, { args: ['--insecure'] })).toContain('SourceTlsUnverified');
    expect(readFileSync(join(folder.path, 'out/vm/report.json'), 'utf8')).toContain('SourceTlsUnverified');
  });

  test.each([
    ['has expired', { notAfter: new Date(Date.now() - 60_000) }],
    ['is another CA than the server has', {}],
  ])('a CA that %s does not help', async (_why, options) => {
    using folder = temporaryFolder();
    const tls = makeSelfSignedCertificate(options);
    const server = await serve({}, { tls });
    const ca = join(folder.path, 'ca.pem');
    const isExpired = 'notAfter' in options;
    writeFileSync(ca, (isExpired ? tls : makeSelfSignedCertificate()).certificatePem);
    const attempt = await attemptImport(server.url('/a.ova'), folder.path, { args: ['--ca', ca] });
    expectRefused(attempt, 'SourceCertificateUntrusted');
  });

  test('a CA file that is not there, or is no certificate, is named', async () => {
    using folder = temporaryFolder();
    const server = await serve({}, { tls: makeSelfSignedCertificate() });
    const missing = join(folder.path, 'none.pem');
    const attempt = await attemptImport(server.url('/a.ova'), folder.path, { args: ['--ca', missing] });
    expectRefused(attempt, 'SourceNotFound');
    const garbage = join(folder.path, 'garbage.pem');
    writeFileSync(garbage, 'this is no certificate');
    const other = await attemptImport(server.url('/a.ova'), folder.path, { args: ['--ca', garbage] });
    expect([1, 2]).toContain(other.status);
    expect(other.left).toBeUndefined();
    expect(inOneLine(other.stderr)).toContain('garbage.pem');
  });
});

/** The partial result may still be wanted, so it stays until `--restart`. */
function expectChanged(attempt: Awaited<ReturnType<typeof attemptImport>>): void {
  expect(attempt.status).toBe(1);
  expect(attempt.stderr).toContain('error SourceChanged:');
  expect(inOneLine(attempt.stderr)).toMatch(/airlift import .* --restart/);
  expect(attempt.left ?? []).not.toContain('vm');
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
