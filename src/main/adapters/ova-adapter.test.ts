import { afterEach, describe, expect, test } from 'vitest';
import type { ReadSecret } from '../../ports/source-adapter.ts';
import { FakeClock } from '../../testing/fake-clock.ts';
import { HttpFileServer, type HttpFileServerOptions } from '../../testing/http-file-server.ts';
import { buildOva } from '../../testing/ova-builder.ts';
import { makeSelfSignedCertificate } from '../../testing/self-signed-certificate.ts';
import { type OvaAdapterOptions, ovaAdapter } from './ova-adapter.ts';

const appliance = buildOva({ machines: [{ id: 'web', name: 'web' }], contents: {}, manifest: 'sha256' });
const servers: HttpFileServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function serve(options: Partial<HttpFileServerOptions> = {}): Promise<HttpFileServer> {
  const server = await HttpFileServer.start({ files: { '/app.ova': appliance }, ...options });
  servers.push(server);
  return server;
}

interface Given extends Partial<OvaAdapterOptions> {
  readonly spec: Record<string, unknown>;
  /** The Secret `vms/login`. */
  readonly secret?: Record<string, string>;
}

async function resolve({ spec, secret, ...options }: Given) {
  const stored = {
    apiVersion: 'migration.harvesterhci.io/v1beta1',
    kind: 'OvaSource',
    metadata: { name: 'app', namespace: 'vms' },
    spec: { ...(secret === undefined ? {} : { credentials: { name: 'login', namespace: 'vms' } }), ...spec },
  };
  const readSecret: ReadSecret = async ({ namespace, name }) =>
    secret !== undefined && `${namespace}/${name}` === 'vms/login'
      ? { version: '7', values: new Map(Object.entries(secret)) }
      : undefined;
  return await ovaAdapter({ clock: new FakeClock(), ...options }).resolve(stored, readSecret);
}

const account = { username: 'joe', password: 'pass word' };
const credentials = { user: 'joe', password: 'pass word' };

describe('an OvaSource', () => {
  test('without a Secret is read by workers themselves', async () => {
    const server = await serve();
    const source = await resolve({ spec: { url: server.url('/app.ova'), httpTimeoutSeconds: 5 } });
    await source.check();
    expect(source).toMatchObject({ location: server.url('/app.ova'), host: '127.0.0.1', secretVersion: undefined });
    expect(source.direct).toEqual({ ova: { url: server.url('/app.ova'), stallMs: 5_000 } });
    expect(source.openRelay).toBeUndefined();
    expect(source.machineRef({ name: 'anything', folder: '/x' })).toBeUndefined();
    await using opened = await source.open();
    expect(await opened.inspect(undefined)).toMatchObject({ name: 'web' });
  });

  test('with an account sends it, and keeps it from workers', async () => {
    const server = await serve({ credentials });
    const source = await resolve({ spec: { url: server.url('/app.ova') }, secret: account });
    await source.check();
    expect(source.secretVersion).toBe('7');
    expect(source.direct).toBeUndefined();
    await using relay = await source.openRelay?.();
    const answer = await relay?.get('app.ova', { range: 'bytes=0-9' });
    answer?.close();
    expect(answer?.status).toBe(206);
  });

  test.each([['username'], ['password']])(
    'with %s alone has no account, as with upstream, and is told why it is refused',
    async (key) => {
      const server = await serve({ credentials });
      const secret = { [key]: 'joe' };
      const source = await resolve({ spec: { url: server.url('/app.ova') }, secret });
      expect(source.direct).toBeDefined();
      const missing = key === 'username' ? 'password' : 'username';
      await expect(source.check()).rejects.toMatchObject({
        code: 'SourceAuthRequired',
        message: expect.stringContaining(`Secret "login" in namespace "vms" has no ${missing}`),
      });
      expect(server.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    },
  );

  test.each([
    ['user info', (url: string) => url.replace('://', '://joe:pass%20word@')],
    ['a query, which may be a presigned one', (url: string) => `${url}?signature=s3cret`],
  ])('whose address has %s shows it nowhere and gives it to no worker', async (_what, address) => {
    const server = await serve({ credentials });
    server.faults.answers = { status: 500 };
    const source = await resolve({ spec: { url: address(server.url('/app.ova')) } });
    expect(source.direct).toBeUndefined();
    expect(source.openRelay).toBeDefined();
    const problem = await source.check().catch((error: Error) => error);
    const shown = `${source.location} ${problem instanceof Error ? problem.message : ''}`;
    expect(shown).toContain('answered with status 500');
    expect(shown).not.toMatch(/joe|pass|s3cret/);
  });

  test('W23: may have spaces and other characters in its file name', async () => {
    const server = await serve({ files: { '/my vm (ü) #1.ova': appliance } });
    const source = await resolve({ spec: { url: server.url('/my vm (ü) %231.ova') } });
    await source.check();
    expect(source.direct?.ova.url).toBe(server.url('/my%20vm%20(%C3%BC)%20%231.ova'));
  });

  test.each([
    [undefined, 600_000],
    [null, 600_000],
    [30, 30_000],
    [0, 604_800_000],
    [-1, 604_800_000],
    [2_000_000_000, 604_800_000],
  ])(
    'W28: httpTimeoutSeconds %s lets the source be silent for %i ms, however long the whole takes',
    async (httpTimeoutSeconds, stallMs) => {
      const source = await resolve({ spec: { url: 'http://files.example/app.ova', httpTimeoutSeconds } });
      expect(source.stallMs).toBe(stallMs);
      expect(source.direct?.ova.stallMs).toBe(stallMs);
    },
  );

  test('W28: a download that takes longer than httpTimeoutSeconds goes on while bytes come', async () => {
    const server = await serve({ files: { '/app.ova': new Uint8Array(200_000) } });
    server.faults = { connectionBytesPerSecond: 150_000 };
    const source = await resolve({ spec: { url: server.url('/app.ova'), httpTimeoutSeconds: 1 }, secret: account });
    await using relay = await source.openRelay?.();
    const answer = await relay?.get('app.ova', {});
    let bytes = 0;
    for await (const piece of answer?.pieces() ?? []) bytes += piece.length;
    expect(bytes).toBe(200_000);
  });

  test('that falls silent is named as stalled', async () => {
    const server = await serve({ faults: { stallsAfter: { bytes: -1 } } });
    const source = await resolve({ spec: { url: server.url('/app.ova'), httpTimeoutSeconds: 1 } });
    await expect(source.check()).rejects.toMatchObject({ code: 'SourceStalled' });
  });

  test('is looked at by its first bytes, by one try and without HEAD (W28)', async () => {
    const large = new Uint8Array(50 * 1024 * 1024);
    const server = await serve({ files: { '/app.ova': large } });
    const source = await resolve({ spec: { url: server.url('/app.ova') } });
    await source.check();
    expect(server.bytesSent).toBeLessThan(128 * 1024);
    server.requests.length = 0;
    server.faults = { answers: { status: 503 } };
    await expect(source.check()).rejects.toMatchObject({ code: 'SourceBusy' });
    expect(server.requests).toHaveLength(1);
    expect(await server.waitForClients()).toBe(0);
  });

  test('is ready on a server without ranges as well', async () => {
    const server = await serve({ faults: { ignoresRanges: true } });
    await (await resolve({ spec: { url: server.url('/app.ova') } })).check();
  });

  test('of a wrong address says what is wrong', async () => {
    const server = await serve();
    const source = await resolve({ spec: { url: server.url('/other.ova') } });
    await expect(source.check()).rejects.toMatchObject({ code: 'SourceNotFound' });
  });
});

describe('the certificate of its server', () => {
  const tls = makeSelfSignedCertificate();

  test('is verified, against ca.crt where the Secret has it', async () => {
    const server = await serve({ tls });
    const url = server.url('/app.ova');
    await expect((await resolve({ spec: { url } })).check()).rejects.toMatchObject({
      code: 'SourceCertificateUntrusted',
      problem: { remedy: expect.stringContaining('insecureSkipTLSVerify') },
    });
    const source = await resolve({ spec: { url }, secret: { 'ca.crt': tls.certificatePem } });
    await source.check();
    expect(source.direct?.ova).toMatchObject({ ca: tls.certificatePem });
  });

  test('is not looked at with insecureSkipTLSVerify', async () => {
    const server = await serve({ tls });
    const source = await resolve({ spec: { url: server.url('/app.ova'), insecureSkipTLSVerify: true } });
    await source.check();
    expect(source.direct?.ova).toMatchObject({ isInsecure: true });
  });

  test.each([['nonsense'], ['-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----']])(
    'is not checked against %j, which TLS would pass over in silence',
    async (pem) => {
      await expect(
        resolve({ spec: { url: 'https://files.example/app.ova' }, secret: { 'ca.crt': pem } }),
      ).rejects.toMatchObject({ code: 'SecretValueInvalid', message: expect.stringContaining('ca.crt') });
    },
  );
});

describe('what cannot be used is named', () => {
  test.each([
    [{}, 'spec.url is missing'],
    [{ url: '' }, 'spec.url is missing'],
    [{ url: 'app.ova' }, 'no valid URL'],
    [{ url: 'ftp://joe:secret@files.example/app.ova' }, 'begins with "ftp:"'],
    [{ url: 5 }, 'spec.url'],
    [{ url: 'http://h/a.ova', credentials: { name: 'login' } }, 'a name and a namespace'],
    [{ url: 'http://h/a.ova', credentials: { namespace: 'vms' } }, 'a name and a namespace'],
  ])('%j', async (spec, message) => {
    const problem = await resolve({ spec }).catch((error: Error) => error);
    expect(problem).toMatchObject({ code: 'SourceFieldInvalid', message: expect.stringContaining(message) });
    expect((problem as Error).message).not.toContain('secret');
  });

  test('a Secret that is not there', async () => {
    const spec = { url: 'http://h/a.ova', credentials: { name: 'gone', namespace: 'vms' } };
    await expect(resolve({ spec })).rejects.toMatchObject({
      code: 'SecretMissing',
      message: expect.stringMatching(/gone.*vms/),
    });
  });

  test('empty credentials are none', async () => {
    const source = await resolve({ spec: { url: 'http://h/a.ova', credentials: { name: '', namespace: null } } });
    expect(source.direct).toBeDefined();
  });
});

describe('W22: a Secret of another namespace', () => {
  const spec = { url: 'http://h/a.ova', credentials: { name: 'theirs', namespace: 'other' } };

  test('is read as upstream reads it', async () => {
    await expect(resolve({ spec })).rejects.toMatchObject({ code: 'SecretMissing' });
  });

  test('is refused before it is read where the installation says so; one of its own namespace is not', async () => {
    let reads = 0;
    const adapter = ovaAdapter({ clock: new FakeClock(), crossNamespace: 'deny' });
    const metadata = { name: 'app', namespace: 'vms' };
    const stored = { apiVersion: 'migration.harvesterhci.io/v1beta1', kind: 'OvaSource', metadata, spec };
    const readSecret: ReadSecret = async () => {
      reads += 1;
      return { version: '1', values: new Map() };
    };
    await expect(adapter.resolve(stored, readSecret)).rejects.toMatchObject({ code: 'SecretNamespaceRefused' });
    expect(reads).toBe(0);
    const own = await resolve({ spec: { url: spec.url }, secret: account, crossNamespace: 'deny' });
    expect(own.secretVersion).toBe('7');
  });
});
