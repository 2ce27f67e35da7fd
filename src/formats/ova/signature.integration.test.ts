import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireTool } from '../../testing/require-tool.ts';
import { checkSignature } from './signature.ts';

/** Certificates and signatures by openssl, as ovftool's documentation tells publishers to make them. */
describe.skipIf(!requireTool('openssl'))('signatures made by openssl', () => {
  let folder = '';
  const manifest = Buffer.from(`SHA256(a.ovf)= ${'0'.repeat(64)}\n`);
  const openssl = (...options: string[]) =>
    execFileSync('openssl', options, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = (name: string) => readFileSync(join(folder, name), 'utf8');

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'airlift-cert-'));
    writeFileSync(join(folder, 'a.mf'), manifest);
    writeFileSync(join(folder, 'ca.ext'), 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n');
    writeFileSync(join(folder, 'leaf.ext'), 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n');
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'root.key',
      '-out',
      'root.pem',
      '-subj',
      '/O=Test/CN=Root',
      '-days',
      '3650',
    );
    const issue = (name: string, issuer: string, extensions: string, ...key: string[]) => {
      openssl(
        'req',
        '-new',
        ...key,
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/O=Test/CN=${name}`,
      );
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        `${issuer}.pem`,
        '-CAkey',
        `${issuer}.key`,
        '-CAcreateserial',
        '-days',
        '365',
        '-extfile',
        extensions,
        '-out',
        `${name}.pem`,
      );
    };
    issue('middle', 'root', 'ca.ext', '-newkey', 'rsa:2048');
    issue('rsa', 'middle', 'leaf.ext', '-newkey', 'rsa:3072');
    issue('ec', 'middle', 'leaf.ext', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384');
    issue('below-leaf', 'rsa', 'leaf.ext', '-newkey', 'rsa:2048');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const certFile = (signer: string, algorithm: string, ...chain: string[]) => {
    const signature = openssl('dgst', `-${algorithm}`, '-sign', `${signer}.key`, 'a.mf').toString('hex');
    return Buffer.from(
      `${algorithm.toUpperCase()}(a.mf)= ${signature}\n${[signer, ...chain].map((name) => text(`${name}.pem`)).join('')}`,
    );
  };
  const check = (cert: Uint8Array, cas: string[] = [], now = new Date()) =>
    checkSignature(cert, manifest, { manifestName: 'a.mf', trustedCas: cas.map((name) => text(`${name}.pem`)), now });

  it.each([
    ['rsa', 'sha1'],
    ['rsa', 'sha256'],
    ['rsa', 'sha512'],
    ['ec', 'sha256'],
    ['ec', 'sha512'],
  ])('by %s with %s are valid, and trusted with the root CA', (signer, algorithm) => {
    const cert = certFile(signer, algorithm, 'middle');
    expect(check(cert)).toMatchObject({
      status: 'valid-untrusted',
      signer: { subject: `O=Test, CN=${signer}`, issuer: 'O=Test, CN=middle' },
    });
    expect(check(cert, ['root']).status).toBe('trusted');
    expect(check(cert, ['middle']).status).toBe('trusted');
  });

  it('are untrusted without the intermediate, after expiry, and below a certificate that is no CA', () => {
    expect(check(certFile('rsa', 'sha256'), ['root']).status).toBe('valid-untrusted');
    const later = new Date(Date.now() + 2 * 365 * 86_400_000);
    expect(check(certFile('rsa', 'sha256', 'middle'), ['root'], later).status).toBe('valid-untrusted');
    expect(check(certFile('below-leaf', 'sha256', 'rsa', 'middle'), ['root']).status).toBe('valid-untrusted');
  });

  it('by another key than the certificate in the file are invalid', () => {
    const cert = Buffer.from(`${certFile('rsa', 'sha256').toString().split('\n', 1)[0]}\n${text('ec.pem')}`);
    expect(check(cert, ['root']).status).toBe('invalid');
  });
});
