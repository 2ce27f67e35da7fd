import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  certificateFromSecret,
  certificateToSecret,
  createCertificate,
  type EndpointCertificate,
  renewCertificate,
} from './create-certificate.ts';

const DAY_MS = 24 * 3600 * 1000;
const names = ['airlift.harvester-system.svc', 'localhost', '127.0.0.1'];
const now = Date.now();
const at = (days: number) => ({ names, now: now + days * DAY_MS });

/** What a TLS client says of the server; undefined when it trusts it. */
async function handshake(
  served: EndpointCertificate,
  { caPem, host }: { readonly caPem: string; readonly host: string },
): Promise<string | undefined> {
  const server = createServer({ cert: served.certificatePem, key: served.keyPem }, (socket) => socket.end());
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const socket: TLSSocket = connect({ host: '127.0.0.1', port, ca: caPem, servername: host, minVersion: 'TLSv1.3' });
  try {
    await once(socket, 'secureConnect');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
    server.close();
  }
}

describe('the certificate of the endpoint', () => {
  test('is trusted by whoever has its authority, under each of its names and no other', async () => {
    const made = await createCertificate(at(0));
    for (const host of ['airlift.harvester-system.svc', 'localhost'])
      expect(await handshake(made, { caPem: made.caPem, host })).toBeUndefined();
    expect(await handshake(made, { caPem: made.caPem, host: 'airlift.other.svc' })).toBe(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
    const server = new X509Certificate(made.certificatePem);
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(server.ca).toBe(false);
  });

  test('is trusted by nobody else', async () => {
    const [made, other] = [await createCertificate(at(0)), await createCertificate(at(0))];
    expect(await handshake(made, { caPem: other.caPem, host: 'localhost' })).toBeDefined();
  });

  test('lasts a year, its authority ten', async () => {
    const made = await createCertificate(at(0));
    const days = (pem: string) => Math.round((new X509Certificate(pem).validToDate.getTime() - now) / DAY_MS);
    expect(days(made.certificatePem)).toBe(365);
    expect(days(made.caPem)).toBe(3650);
  });

  test('survives a Secret; one that lacks a key is none', async () => {
    const made = await createCertificate(at(0));
    const secret = certificateToSecret(made);
    expect(Object.keys(secret).toSorted()).toEqual(['ca.crt', 'ca.key', 'tls.crt', 'tls.key']);
    expect(certificateFromSecret(secret)).toEqual(made);
    for (const key of Object.keys(secret)) expect(certificateFromSecret({ ...secret, [key]: '' })).toBeUndefined();
  });
});

describe('renewing', () => {
  test('keeps what is good', async () => {
    const made = await createCertificate(at(0));
    expect(await renewCertificate(made, at(200))).toBe(made);
    expect(await renewCertificate(made, { ...at(0), names: ['localhost'] })).toBe(made);
  });

  test.each([
    ['a third of its life is left', at(250)],
    ['it has ended', at(400)],
    ['it lacks a name', { ...at(0), names: [...names, 'airlift.elsewhere.svc'] }],
    ['it lacks an address', { ...at(0), names: [...names, '10.1.2.3'] }],
  ])('makes one by the same authority when %s', async (_when, options) => {
    const made = await createCertificate(at(0));
    const renewed = await renewCertificate(made, options);
    expect(renewed.caPem).toBe(made.caPem);
    expect(renewed.certificatePem).not.toBe(made.certificatePem);
    expect(new X509Certificate(renewed.certificatePem).verify(new X509Certificate(made.caPem).publicKey)).toBe(true);
    expect(await renewCertificate(renewed, options)).toBe(renewed);
  });

  test('a renewed certificate serves those who trusted the old one', async () => {
    const made = await createCertificate({ names, now: now - 300 * DAY_MS });
    const renewed = await renewCertificate(made, at(0));
    expect(await handshake(renewed, { caPem: made.caPem, host: 'localhost' })).toBeUndefined();
  });

  test.each<[string, (good: EndpointCertificate, other: EndpointCertificate) => EndpointCertificate]>([
    ['ends', (good) => good],
    ['is no certificate', (good) => ({ ...good, caPem: 'nonsense' })],
    ['has the key of another', (good, other) => ({ ...good, caKeyPem: other.caKeyPem })],
  ])('makes a new authority when the old one %s', async (what, spoil) => {
    const spoilt = spoil(await createCertificate(at(0)), await createCertificate(at(0)));
    const renewed = await renewCertificate(spoilt, at(what === 'ends' ? 3000 : 0));
    expect(renewed.caPem).not.toBe(spoilt.caPem);
    expect(renewed.caKeyPem).not.toBe(spoilt.caKeyPem);
  });

  test.each<[string, (good: EndpointCertificate, other: EndpointCertificate) => EndpointCertificate]>([
    [
      'of another authority',
      (good, other) => ({ ...good, certificatePem: other.certificatePem, keyPem: other.keyPem }),
    ],
    ['with the key of another', (good, other) => ({ ...good, keyPem: other.keyPem })],
    ['that cannot be read', (good) => ({ ...good, certificatePem: 'nonsense' })],
  ])('replaces a certificate %s', async (_what, spoil) => {
    const good = await createCertificate(at(0));
    const renewed = await renewCertificate(spoil(good, await createCertificate(at(0))), at(0));
    expect(renewed.caPem).toBe(good.caPem);
    expect(await handshake(renewed, { caPem: good.caPem, host: 'localhost' })).toBeUndefined();
  });

  test('without a stored one makes one', async () => {
    expect((await renewCertificate(undefined, at(0))).caPem).toContain('BEGIN CERTIFICATE');
  });
});
