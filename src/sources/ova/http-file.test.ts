import { afterEach, describe, expect, it } from 'vitest';
import { isProblem, type ProblemCode, type ProblemError } from '../../domain/problems.ts';
import { collect } from '../../testing/collect.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { HttpFileServer, type HttpFileServerOptions } from '../../testing/http-file-server.ts';
import { randomBytes, seededRandom } from '../../testing/random.ts';
import { makeSelfSignedCertificate } from '../../testing/self-signed-certificate.ts';
import { HttpConnection, type HttpConnectionOptions } from './http-connection.ts';
import { HttpFile } from './http-file.ts';
import { HttpForwardFile } from './http-forward-file.ts';
import { parseHttpLocation } from './http-location.ts';
import { openHttpFile } from './open-http-file.ts';
import { RegionImageFile } from './region-image-file.ts';

const content = randomBytes(seededRandom(1), 300_000);
const clock = new FakeClock();
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface FileOptions extends Partial<HttpConnectionOptions> {
  readonly signal?: AbortSignal;
  readonly tries?: number;
}

async function startServer(options: Partial<HttpFileServerOptions> = {}): Promise<HttpFileServer> {
  const server = await HttpFileServer.start({ files: { '/app.ova': content }, ...options });
  stack.push(server);
  return server;
}

async function openFile(url: string, options: FileOptions = {}) {
  const location = parseHttpLocation(url);
  const connection = new HttpConnection(location, { clock, ...options });
  stack.push(connection);
  const file = await openHttpFile(connection, location.url, {
    backoff: { clock, random: () => 0.5, tries: options.tries },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  stack.push(file);
  return file;
}

async function openRanged(url: string, options: FileOptions = {}): Promise<HttpFile> {
  const file = await openFile(url, options);
  if (!(file instanceof HttpFile)) throw new Error('expected a file with ranges');
  return file;
}

async function openForward(url: string, options: FileOptions = {}): Promise<HttpForwardFile> {
  const file = await openFile(url, options);
  if (!(file instanceof HttpForwardFile)) throw new Error('expected a file without ranges');
  return file;
}

async function problemOf(work: Promise<unknown>, code: ProblemCode): Promise<ProblemError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isProblem(error)) throw new Error(`expected ${code}`, { cause: error });
  expect(error.code).toBe(code);
  return error;
}

const readAll = async (pieces: AsyncIterable<Uint8Array>) => Buffer.concat(await collect(pieces));

describe('a file behind a server with ranges', () => {
  it('costs one byte to look at, and a read fetches only its bytes', async () => {
    const server = await startServer();
    const file = await openRanged(server.url('/app.ova'));
    expect(file.sizeBytes).toBe(content.length);
    expect(server.bytesSent).toBe(1);
    expect(Buffer.compare(await file.read(1000, 500), content.subarray(1000, 1500))).toBe(0);
    expect(server.bytesSent).toBe(501);
    expect(server.requests.at(-1)).toMatchObject({
      range: 'bytes=1000-1499',
      ifRange: '"first"',
      acceptEncoding: 'identity',
    });
  });

  it('streams a part in one request and closes the connection when its reader stops early', async () => {
    const server = await startServer();
    const file = await openRanged(server.url('/app.ova'));
    expect(Buffer.compare(await readAll(file.stream(5, 200_005)), content.subarray(5, 200_005))).toBe(0);
    expect(server.requests).toHaveLength(2);
    server.faults = { bytesPerSecond: 100_000 };
    for await (const piece of file.stream(0, content.length)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(await server.waitForAnswers()).toBe(0);
  });

  it('goes on at the byte reached when the server closes midway, however often, while something comes', async () => {
    const server = await startServer();
    const file = await openRanged(server.url('/app.ova'));
    server.faults = { closesAfter: { bytes: 40_000 } };
    expect(Buffer.compare(await readAll(file.stream(0, content.length)), content)).toBe(0);
    expect(server.requests.length).toBeGreaterThanOrEqual(8);
    expect(server.bytesSent).toBe(content.length + 1);
  });

  it('gives up after five tries without a byte, with growing waits between them', async () => {
    const server = await startServer();
    const own = new FakeClock();
    const location = parseHttpLocation(server.url('/app.ova'));
    await using connection = new HttpConnection(location, { clock: own });
    const file = await openHttpFile(connection, location.url, { backoff: { clock: own, random: () => 0 } });
    server.faults = { closesAfter: { bytes: 0 } };
    await problemOf((file as HttpFile).read(0, 10), 'SourceClosedEarly');
    expect(server.requests).toHaveLength(6);
    expect(own.delays).toEqual([250, 500, 1000, 2000]);
  });

  it('is told when the server is busy and waits as long as it asks, within bounds', async () => {
    const server = await startServer();
    const own = new FakeClock();
    const location = parseHttpLocation(server.url('/app.ova'));
    await using connection = new HttpConnection(location, { clock: own });
    server.faults = { answers: { status: 503, times: 2, headers: { 'retry-after': '7' } } };
    const file = (await openHttpFile(connection, location.url, {
      backoff: { clock: own, random: () => 0 },
    })) as HttpFile;
    server.faults = { answers: { status: 429, times: 1, headers: { 'retry-after': '86400' } } };
    expect((await file.read(0, 10)).length).toBe(10);
    expect(own.delays).toEqual([7000, 7000, 60_000]);
    server.faults = { answers: { status: 503 } };
    await problemOf(file.read(0, 10), 'SourceBusy');
  });

  it('names a server that stalls before or within an answer', async () => {
    const server = await startServer();
    const file = await openRanged(server.url('/app.ova'), { stallMs: 60 });
    server.faults = { stallsAfter: { bytes: 1000, times: 1 } };
    expect(Buffer.compare(await file.read(0, 5000), content.subarray(0, 5000))).toBe(0);
    expect(server.bytesSent).toBe(5001);
    const impatient = await openRanged(server.url('/app.ova'), { stallMs: 60, tries: 1 });
    server.faults = { stallsAfter: { bytes: 0 } };
    await problemOf(impatient.read(0, 10), 'SourceStalled');
    server.faults = { stallsAfter: { bytes: -1 } };
    await problemOf(impatient.read(0, 10), 'SourceStalled');
  });

  it('does not count the time in which nobody asks for bytes as a stall', async () => {
    const big = new Uint8Array(8 * 2 ** 20);
    const server = await startServer({ files: { '/big': big } });
    const file = await openRanged(server.url('/big'), { stallMs: 60 });
    let read = 0;
    for await (const piece of file.stream(0, big.length)) {
      if (read === 0) await new Promise((resolve) => setTimeout(resolve, 300));
      read += piece.length;
    }
    expect(read).toBe(big.length);
    expect(server.requests).toHaveLength(2);
  });

  it('notices a file that changes midway by its ETag, its time or its length', async () => {
    const server = await startServer();
    const byEtag = await openRanged(server.url('/app.ova'));
    server.faults = { closesAfter: { bytes: 40_000, times: 1 } };
    server.beforeRequest = (index) => {
      if (index === 2) server.etag = '"second"';
    };
    const problem = await problemOf(readAll(byEtag.stream(0, content.length)), 'SourceChanged');
    expect(problem.message).toContain('ETag was "first" and is now "second"');
    expect(await byEtag.readIdentity()).not.toBe(byEtag.identity);

    server.beforeRequest = undefined;
    server.etag = undefined;
    const byTime = await openRanged(server.url('/app.ova'));
    expect(await byTime.readIdentity()).toBe(byTime.identity);
    server.lastModified = 'Sun, 01 Nov 2026 10:00:01 GMT';
    await problemOf(byTime.read(0, 10), 'SourceChanged');

    server.lastModified = undefined;
    const byLength = await openRanged(server.url('/app.ova'));
    server.files.set('/app.ova', content.subarray(0, 200_000));
    await problemOf(byLength.read(0, 10), 'SourceChanged');
    await problemOf(byLength.read(250_000, 10), 'SourceChanged'); // 416
  });

  it('proves nothing to a later run when the server gives no ETag and no time', async () => {
    const server = await startServer({ etag: undefined, lastModified: undefined });
    const first = await openRanged(server.url('/app.ova'));
    expect(first.hasProof).toBe(false);
    expect(await first.readIdentity()).toBe(first.identity);
    await clock.delay(1);
    const second = await openRanged(server.url('/app.ova'));
    expect(second.identity).not.toBe(first.identity);
  });

  it('refuses a whole file in place of a part, and a part other than the one asked for', async () => {
    const server = await startServer({ faults: { ignoresRangesAfter: 1 } });
    const file = await openRanged(server.url('/app.ova'));
    await problemOf(file.read(100, 10), 'SourceRangeIgnored');
    for (const contentRange of ['bytes 0-9/300000', 'bytes 100-300/300000', 'bytes */300000', 'lines 1-2/3', '']) {
      server.faults = { contentRange };
      await problemOf(file.read(100, 10), 'SourceRangeIgnored');
    }
    server.faults = { contentRange: 'bytes 100-109/300001' };
    await problemOf(file.read(100, 10), 'SourceChanged');
    // Says less than it sends.
    server.faults = { contentRange: 'bytes 100-104/300000' };
    await problemOf(file.read(100, 10), 'SourceRangeIgnored');
  });

  it('takes a shorter part than asked for and fetches the rest', async () => {
    const server = await startServer();
    const file = await openRanged(server.url('/app.ova'));
    server.faults = { contentRange: 'bytes 100-109/300000', closesAfter: { bytes: 10, times: 1 }, hidesLength: true };
    server.beforeRequest = (index) => {
      if (index > 1) server.faults = {};
    };
    const bytes = await file.read(100, 50);
    expect(Buffer.compare(bytes, content.subarray(100, 150))).toBe(0);
  });

  it('does not ask for ever when answers end properly but short of what they announce', async () => {
    const server = await startServer();
    const file = await openRanged(server.url('/app.ova'));
    server.faults = { hidesLength: true, endsAfter: 0 };
    await problemOf(file.read(100, 50), 'SourceClosedEarly');
    expect(server.requests).toHaveLength(6);
  });

  it('refuses a compressed answer', async () => {
    const server = await startServer({ faults: { contentEncoding: 'gzip' } });
    await problemOf(openFile(server.url('/app.ova')), 'SourceRangeIgnored');
  });

  it('reads an empty file as empty', async () => {
    const server = await startServer({ files: { '/app.ova': new Uint8Array(0) } });
    expect((await openRanged(server.url('/app.ova'))).sizeBytes).toBe(0);
  });

  it('is stopped by its signal and leaves no connection', async () => {
    const server = await startServer();
    const file = await openRanged(server.url('/app.ova'));
    server.faults = { bytesPerSecond: 50_000 };
    const controller = new AbortController();
    const reading = readAll(file.stream(0, content.length, { signal: controller.signal }));
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(reading).rejects.toThrow('enough');
    expect(await server.waitForAnswers()).toBe(0);
  });
});

describe('what a server may answer', () => {
  it.each<[number, ProblemCode]>([
    [401, 'SourceAuthRequired'],
    [403, 'SourceForbidden'],
    [404, 'SourceNotFound'],
    [410, 'SourceNotFound'],
    [429, 'SourceBusy'],
    [503, 'SourceBusy'],
    [500, 'SourceFailed'],
    [502, 'SourceFailed'],
    [418, 'SourceFailed'],
  ])('%i is %s', async (status, code) => {
    const server = await startServer({ faults: { answers: { status } } });
    const problem = await problemOf(openFile(server.url('/app.ova')), code);
    expect(problem.message).toContain(String(status));
  });

  it('asks once only when the answer would be the same again', async () => {
    const server = await startServer({ faults: { answers: { status: 418 } } });
    await problemOf(openFile(server.url('/app.ova')), 'SourceFailed');
    expect(server.requests).toHaveLength(1);
  });

  it('says that nobody listens or that the name leads nowhere', async () => {
    const server = await startServer();
    const url = server.url('/app.ova');
    await server[Symbol.asyncDispose]();
    stack.length = 0;
    await problemOf(openFile(url), 'SourceUnreachable');
    await problemOf(openFile('http://no-such-host.invalid/app.ova'), 'SourceUnreachable');
  });

  it('sends credentials of the URL or of the options, and shows them nowhere', async () => {
    const server = await startServer({ credentials: { user: 'jo e', password: 'p@ss' } });
    await problemOf(openFile(server.url('/app.ova')), 'SourceAuthRequired');
    const withUser = server.url('/app.ova?token=tok').replace('://', '://jo%20e:p%40ss@');
    const file = await openRanged(withUser);
    expect(`${file.name} ${file.identity}`).not.toMatch(/p@ss|p%40ss|jo|tok/);
    expect((await openRanged(server.url('/app.ova'), { user: 'jo e', password: 'p@ss' })).sizeBytes).toBe(300_000);
    const wrong = await problemOf(openFile(withUser.replace('p%40ss', 'secret')), 'SourceAuthRequired');
    expect(wrong.message).not.toContain('secret');
    expect(() => parseHttpLocation('ftp://joe:secret@host/x')).toThrow('ftp: addresses are not supported');
    expect(() => parseHttpLocation('http://joe:secret@:x')).not.toThrow('secret');
  });
});

describe('redirects', () => {
  it('are followed once and remembered, and walked again when the address found has expired', async () => {
    const server = await startServer();
    let target = '/a.bin?signature=1';
    server.files.set('/a.bin', content);
    server.faults = { redirects: (path) => (path === '/app.ova' ? target : undefined) };
    const file = await openRanged(server.url('/app.ova'));
    await file.read(0, 10);
    expect(server.requests.map((request) => request.path)).toEqual([
      '/app.ova',
      '/a.bin?signature=1',
      '/a.bin?signature=1',
    ]);
    target = '/b.bin';
    server.files.set('/b.bin', content);
    server.files.delete('/a.bin');
    expect((await file.read(0, 10)).length).toBe(10);
    expect(server.requests.slice(3).map((request) => request.path)).toEqual([
      '/a.bin?signature=1',
      '/app.ova',
      '/b.bin',
    ]);
  });

  it('end after five', async () => {
    const server = await startServer();
    server.faults = { redirects: (path) => `${path}x` };
    await problemOf(openFile(server.url('/app.ova')), 'SourceRedirectLoop');
    expect(server.requests).toHaveLength(6);
  });

  it('never lead to another scheme or away from https', async () => {
    const tls = makeSelfSignedCertificate();
    const server = await startServer({ tls });
    const plain = await startServer();
    for (const target of [plain.url('/app.ova'), 'file:///etc/passwd', 'ftp://host/x', 'http://[broken']) {
      server.faults = { redirects: () => target };
      await problemOf(openFile(server.url('/app.ova'), { caPem: tls.certificatePem }), 'SourceRedirectRefused');
    }
    expect(plain.requests).toHaveLength(0);
  });

  it('to another origin go without the credentials', async () => {
    const other = await startServer();
    const server = await startServer({ faults: { redirects: () => other.url('/app.ova').replace('://', '://x:y@') } });
    await openFile(server.url('/app.ova'), { user: 'joe', password: 'secret' });
    expect(server.requests[0]?.authorization).toBeDefined();
    expect(other.requests[0]?.authorization).toBeUndefined();
  });
});

describe('TLS', () => {
  it('W22: is verified unless told otherwise', async () => {
    const tls = makeSelfSignedCertificate();
    const server = await startServer({ tls });
    await problemOf(openFile(server.url('/app.ova')), 'SourceCertificateUntrusted');
    const other = makeSelfSignedCertificate();
    await problemOf(openFile(server.url('/app.ova'), { caPem: other.certificatePem }), 'SourceCertificateUntrusted');
    expect(server.requests).toHaveLength(0);
    const file = await openRanged(server.url('/app.ova'), { caPem: tls.certificatePem });
    expect((await file.read(7, 3)).length).toBe(3);
    expect(await openFile(server.url('/app.ova'), { insecure: true })).toBeDefined();
  });

  it('names expired certificates, other hosts, and servers that speak none', async () => {
    const expired = makeSelfSignedCertificate({ notBefore: new Date(2020, 1), notAfter: new Date(2021, 1) });
    const old = await startServer({ tls: expired });
    const problem = await problemOf(
      openFile(old.url('/x'), { caPem: expired.certificatePem }),
      'SourceCertificateUntrusted',
    );
    expect(problem.message).toContain('CERT_HAS_EXPIRED');
    const named = makeSelfSignedCertificate({ hostNames: ['elsewhere.example'] });
    const server = await startServer({ tls: named });
    const asLocalhost = server.url('/app.ova').replace('127.0.0.1', 'localhost');
    await problemOf(openFile(asLocalhost, { caPem: named.certificatePem }), 'SourceCertificateUntrusted');
    const plain = await startServer();
    await problemOf(openFile(plain.url('/app.ova').replace('http:', 'https:')), 'SourceUnreachable');
    await problemOf(openFile(server.url('/app.ova').replace('https:', 'http:')), 'SourceClosedEarly');
  });
});

describe('a file behind a server without ranges', () => {
  it('is read with the one request that looked at it', async () => {
    const server = await startServer({ faults: { ignoresRanges: true } });
    const file = await openForward(server.url('/app.ova'));
    expect(file.sizeBytes).toBe(content.length);
    expect(Buffer.compare(await readAll(file.stream()), content)).toBe(0);
    expect(server.requests).toHaveLength(1);
    expect(Buffer.compare(await readAll(file.stream()), content)).toBe(0);
    expect(server.requests).toHaveLength(2);
    expect(await file.readIdentity()).toBe(file.identity);
  });

  it('cannot go on after a failure', async () => {
    const server = await startServer({ faults: { ignoresRanges: true, closesAfter: { bytes: 100_000 } } });
    const file = await openForward(server.url('/app.ova'));
    await problemOf(readAll(file.stream()), 'SourceClosedEarly');
    server.faults = { ignoresRanges: true, closesAfter: { bytes: 100_000 }, hidesLength: true };
    await problemOf(readAll(file.stream()), 'SourceClosedEarly');
    server.faults = { ignoresRanges: true, stallsAfter: { bytes: 100_000 } };
    const slow = await openForward(server.url('/app.ova'), { stallMs: 60 });
    await problemOf(readAll(slow.stream()), 'SourceStalled');
    server.etag = '"second"';
    await problemOf(readAll(file.stream()), 'SourceChanged');
    expect(await file.readIdentity()).not.toBe(file.identity);
  });

  it('is stopped by the signal of the reader and leaves no connection', async () => {
    const server = await startServer({ faults: { ignoresRanges: true, bytesPerSecond: 50_000 } });
    const file = await openForward(server.url('/app.ova'));
    const controller = new AbortController();
    const reading = readAll(file.stream({ signal: controller.signal }));
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(reading).rejects.toThrow('enough');
    expect(await server.waitForAnswers()).toBe(0);
  });

  it('closes its connection when nobody reads it', async () => {
    const server = await startServer({ faults: { ignoresRanges: true, bytesPerSecond: 50_000 } });
    const file = await openForward(server.url('/app.ova'));
    expect(server.openConnections).toBe(1);
    await file[Symbol.asyncDispose]();
    expect(await server.waitForAnswers()).toBe(0);
    for (const each of stack.splice(1).reverse()) await each[Symbol.asyncDispose]();
    expect(await server.waitForClients()).toBe(0);
  });
});

describe('a retry', () => {
  it('is told to whoever counts requests, through the region of an archive too', async () => {
    const server = await startServer();
    const region = new RegionImageFile(await openRanged(server.url('/app.ova')), { name: 'disk', offset: 100 });
    server.faults.answers = { status: 503, times: 2 };
    const told: ProblemCode[] = [];
    const pieces = await collect(region.stream({ to: 1000, onRetry: ({ code }) => told.push(code) }));
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(content.subarray(100, 1100)));
    expect(told).toEqual(['SourceBusy', 'SourceBusy']);
  });
});
