import { afterEach, describe, expect, test } from 'vitest';
import { ProblemError } from '../../domain/problems.ts';
import type { RelayConditions } from '../../ports/source-relay.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { type HttpFaults, HttpFileServer } from '../../testing/http-file-server.ts';
import { buildOva } from '../../testing/ova-builder.ts';
import { makeSelfSignedCertificate } from '../../testing/self-signed-certificate.ts';
import { openOvaSource } from './open-ova-source.ts';
import { createOvaRelay, type OvaRelayOptions } from './ova-relay.ts';

const clock = new FakeClock();
const disk = Buffer.alloc(100_000, 'disk');
const ova = Buffer.from(
  buildOva({
    machines: [{ id: 'vm', disks: [{ fileName: 'd.vmdk', capacityBytes: 1024 }] }],
    contents: { 'd.vmdk': disk },
  }),
);
const credentials = { user: 'anna', password: 'secret of the account' };
const files = {
  '/exports/app.ova': ova,
  '/exports/private.txt': Buffer.from('not yours'),
  '/exports/app.ovf': Buffer.from('<Envelope/>'),
  '/exports/disk 1%.vmdk': disk,
  '/top.txt': Buffer.from('not yours'),
  '/download': ova,
};

let server: HttpFileServer;
afterEach(() => server[Symbol.asyncDispose]());

async function relayTo(path: string, faults: HttpFaults = {}, options: Partial<OvaRelayOptions> = {}) {
  server = await HttpFileServer.start({ files, faults, credentials });
  return createOvaRelay({ location: server.url(path), ...credentials, clock, ...options });
}

async function read(relay: Awaited<ReturnType<typeof relayTo>>, path: string, conditions: RelayConditions = {}) {
  const answer = await relay.get(path, conditions);
  const pieces: Uint8Array[] = [];
  for await (const piece of answer.pieces()) pieces.push(piece);
  return { ...answer, bytes: Buffer.concat(pieces) };
}

describe('the relay of an OVA source', () => {
  test('gives the file with the account it alone has', async () => {
    await using relay = await relayTo('/exports/app.ova');
    expect(relay).toMatchObject({ path: 'app.ova', location: server.url('/exports/app.ova') });
    const { status, bytes } = await read(relay, 'app.ova');
    expect(status).toBe(200);
    expect(bytes.equals(ova)).toBe(true);
  });

  test('passes ranges and what shows a change on, and back', async () => {
    await using relay = await relayTo('/exports/app.ova');
    const { status, headers, bytes } = await read(relay, 'app.ova', { range: 'bytes=512-1023', ifRange: '"first"' });
    expect(status).toBe(206);
    expect(bytes.equals(ova.subarray(512, 1024))).toBe(true);
    expect(headers).toEqual({
      'content-length': '512',
      'content-range': `bytes 512-1023/${ova.length}`,
      etag: '"first"',
      'last-modified': 'Sun, 01 Nov 2026 10:00:00 GMT',
    });
    expect(server.requests.at(-1)).toMatchObject({ range: 'bytes=512-1023', ifRange: '"first"' });
    expect((await read(relay, 'app.ova', { range: `bytes=${ova.length}-` })).status).toBe(416);
  });

  test.each(['private.txt', '../top.txt', 'sub/../../top.txt', '/top.txt', 'http://127.0.0.1/x', '..%2ftop.txt', ''])(
    'of an archive gives nothing else the account could reach: %s',
    async (path) => {
      await using relay = await relayTo('/exports/app.ova');
      await expect(relay.get(path, {})).rejects.toMatchObject({
        code: expect.stringMatching(/^(SourceForbidden|ArchiveMemberUnsafe|OvfUnsupported)$/),
      });
      expect(server.requests.filter((request) => request.path !== '/exports/app.ova')).toEqual([]);
    },
  );

  test('knows an archive by its content, whatever its name', async () => {
    await using relay = await relayTo('/download');
    await expect(relay.get('exports/private.txt', {})).rejects.toMatchObject({ code: 'SourceForbidden' });
    await expect(relay.get('exports/private.txt', {})).rejects.toMatchObject({ code: 'SourceForbidden' });
    expect(server.requests).toHaveLength(1);
  });

  test('of a descriptor gives what lies in its folder, and nothing outside', async () => {
    await using relay = await relayTo('/exports/app.ovf');
    expect((await read(relay, 'disk 1%.vmdk')).bytes.equals(disk)).toBe(true);
    expect(server.requests.at(-1)?.path).toBe('/exports/disk%201%25.vmdk');
    await expect(relay.get('../top.txt', {})).rejects.toMatchObject({ code: 'ArchiveMemberUnsafe' });
    await expect(relay.get('missing.vmdk', {})).rejects.toMatchObject({ code: 'SourceNotFound' });
  });

  test.each([
    ['a wrong password', {}, { password: 'wrong' }, 'SourceAuthRequired'],
    ['a server that is busy', { answers: { status: 503 } }, {}, 'SourceBusy'],
    ['a redirect to another scheme', { redirects: () => 'ftp://elsewhere/app.ova' }, {}, 'SourceRedirectRefused'],
    ['a server that compresses', { contentEncoding: 'gzip' }, {}, 'SourceRangeIgnored'],
    ['a server that closes', { stallsAfter: { bytes: -1 } }, { stallMs: 50 }, 'SourceStalled'],
  ] as const)('names %s, without the account', async (_what, faults, options, code) => {
    await using relay = await relayTo('/exports/app.ova', faults, options);
    const problem = await relay.get('app.ova', {}).catch((error: Error) => error);
    expect(problem).toMatchObject({ code });
    expect(String(problem)).not.toMatch(/anna|secret of/);
  });

  test('keeps what is the credential in a presigned address to itself', async () => {
    await using relay = await relayTo('/exports/app.ova?signature=hidden');
    expect(relay.path).toBe('app.ova');
    expect(relay.location).not.toContain('hidden');
    await read(relay, 'app.ova', { range: 'bytes=0-0' });
    expect(server.requests.at(-1)?.path).toBe('/exports/app.ova?signature=hidden');
  });

  test('never gives the account to another server that it is sent to', async () => {
    await using other = await HttpFileServer.start({ files: { '/app.ova': ova } });
    await using relay = await relayTo('/exports/app.ova', { redirects: () => other.url('/app.ova') });
    expect((await read(relay, 'app.ova', { range: 'bytes=0-9' })).bytes).toHaveLength(10);
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('reads no faster than the body is taken, and closing gives the connection up', async () => {
    server = await HttpFileServer.start({ files: { '/large.ova': Buffer.alloc(64 * 1024 * 1024) } });
    await using relay = createOvaRelay({ location: server.url('/large.ova'), clock });
    const answer = await relay.get('large.ova', {});
    for await (const _first of answer.pieces()) break;
    expect(server.bytesSent).toBeLessThan(16 * 1024 * 1024);
    expect(await server.waitForAnswers()).toBe(0);
  });
});

describe('openOvaSource', () => {
  test('sends what `authorize` gives with each request, asked for anew', async () => {
    server = await HttpFileServer.start({ files });
    let asked = 0;
    const authorize = async () => {
      asked += 1;
      return `Bearer ${asked}`;
    };
    const source = await openOvaSource({ location: server.url('/exports/app.ova'), authorize, clock });
    await using _source = source;
    await source.inspect(undefined);
    const sent = server.requests.map(({ authorization }) => authorization);
    expect(sent.length).toBeGreaterThan(1);
    expect(sent).toEqual(sent.map((_, index) => `Bearer ${index + 1}`));
  });

  test('an excused try does not count, however many there are; one that is not, does', async () => {
    server = await HttpFileServer.start({ files, faults: { answers: { status: 503, times: 12 } } });
    let excused = 0;
    const excuse = async () => {
      excused += 1;
      return true;
    };
    await using _source = await openOvaSource({ location: server.url('/exports/app.ova'), excuse, clock });
    expect(excused).toBe(12);
    server.faults.answers = { status: 503 };
    await expect(
      openOvaSource({ location: server.url('/exports/app.ova'), excuse: async () => false, clock }),
    ).rejects.toMatchObject({ code: 'SourceBusy' });
  });

  test('a server may tell its problem in its own words', async () => {
    server = await HttpFileServer.start({
      files,
      faults: { answers: { status: 502, headers: { 'x-problem': 'told' } } },
    });
    const readProblem = (headers: Readonly<Record<string, string | string[] | undefined>>) =>
      new ProblemError('SourceNotFound', String(headers['x-problem']));
    await expect(openOvaSource({ location: server.url('/exports/app.ova'), readProblem, clock })).rejects.toMatchObject(
      {
        code: 'SourceNotFound',
        message: 'told',
      },
    );
  });
});

test('the relay trusts the CA it was given, and no other', async () => {
  const tls = makeSelfSignedCertificate();
  server = await HttpFileServer.start({ files, tls });
  const location = server.url('/exports/app.ova');
  await using trusting = createOvaRelay({ location, caPem: tls.certificatePem, clock });
  expect((await trusting.get('app.ova', { range: 'bytes=0-0' })).status).toBe(206);
  await using other = createOvaRelay({ location, clock });
  await expect(other.get('app.ova', {})).rejects.toMatchObject({ code: 'SourceCertificateUntrusted' });
});
