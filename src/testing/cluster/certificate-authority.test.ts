import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CertificateAuthority, createCertificateAuthority } from './certificate-authority.ts';

let authority: CertificateAuthority;
beforeAll(async () => {
  authority = await createCertificateAuthority('a test');
});

describe('createCertificateAuthority', () => {
  test('a client certificate names its user and all groups, and is the authority’s', async () => {
    const { certificatePem, keyPem } = await authority.issue({ commonName: 'jo', organizations: ['dev', 'ops'] });
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.subject.split('\n')).toEqual(['O=dev', 'O=ops', 'CN=jo']);
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true);
    expect(() => createSecureContext({ cert: certificatePem, key: keyPem })).not.toThrow();
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']); // client authentication only
  });

  test('a server certificate is valid for its hosts and no other', async () => {
    const { certificatePem } = await authority.issue({ commonName: 'api', hosts: ['127.0.0.1', 'kubernetes.default'] });
    const certificate = new X509Certificate(certificatePem);
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkIP('127.0.0.2')).toBeUndefined();
    expect(certificate.checkHost('kubernetes.default')).toBe('kubernetes.default');
    expect(certificate.checkHost('api')).toBeUndefined();
  });

  test('the authority itself may sign, those it issues may not', async () => {
    expect(new X509Certificate(authority.certificatePem).ca).toBe(true);
    expect(new X509Certificate((await authority.issue({ commonName: 'jo' })).certificatePem).ca).toBe(false);
  });
});
