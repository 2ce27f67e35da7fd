import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { buildCertificate, signManifest } from '../../testing/certificate-builder.ts';
import { checkSignature } from './signature.ts';

const manifest = Buffer.from(`SHA256(a.ovf)= ${'a'.repeat(64)}\n`);
const now = new Date('2026-06-01');
const root = buildCertificate({ name: 'Root', isCa: true });
const middle = buildCertificate({ name: 'Middle', isCa: true, issuer: root });
const publisher = buildCertificate({ name: 'Publisher', issuer: middle, key: 'rsa' });
const direct = buildCertificate({ name: 'Direct', issuer: root });

const check = (cert: Uint8Array, trustedCas: readonly string[] = [], signed: Uint8Array = manifest) =>
  checkSignature(cert, signed, { manifestName: 'a.mf', trustedCas, now });

describe('checkSignature', () => {
  it.each(['sha1', 'sha256', 'sha512'] as const)('accepts RSA and ECDSA with %s and names the signer', (algorithm) => {
    for (const signer of [publisher, direct]) {
      const result = check(signManifest(manifest, 'a.mf', signer, { algorithm }));
      expect(result).toMatchObject({
        status: 'valid-untrusted',
        signer: { subject: `CN=${signer.name}`, fingerprint256: new X509Certificate(signer.pem).fingerprint256 },
      });
      expect(result.detail).toContain('no CA was given');
      expect(result.detail.includes('weak')).toBe(algorithm === 'sha1');
    }
  });

  it('trusts a signer whose issuer is the given CA', () => {
    const result = check(signManifest(manifest, 'a.mf', direct), [root.pem]);
    expect(result).toMatchObject({ status: 'trusted', signer: { issuer: 'CN=Root' } });
    expect(result.detail).toContain('vouched for by "CN=Root"');
  });

  it('goes through intermediates in the file, in any order and with strangers between', () => {
    const stranger = buildCertificate({ name: 'Stranger', isCa: true });
    const cert = signManifest(manifest, 'a.mf', publisher, { chain: [stranger, root, middle] });
    expect(check(cert, [root.pem]).status).toBe('trusted');
    expect(check(signManifest(manifest, 'a.mf', publisher), [root.pem]).status).toBe('valid-untrusted');
    expect(check(signManifest(manifest, 'a.mf', publisher), [middle.pem]).status).toBe('trusted');
  });

  it('trusts a signer that is itself given, and finds its CA among several', () => {
    const alone = buildCertificate({ name: 'Alone' });
    expect(check(signManifest(manifest, 'a.mf', alone), [alone.pem]).status).toBe('trusted');
    expect(check(signManifest(manifest, 'a.mf', direct), [`${alone.pem}${root.pem}`]).status).toBe('trusted');
  });

  it('does not trust other CAs, nor one of the same name', () => {
    const impostor = buildCertificate({ name: 'Root', isCa: true });
    const result = check(signManifest(manifest, 'a.mf', direct), [impostor.pem]);
    expect(result.status).toBe('valid-untrusted');
    expect(result.detail).toContain('none of the given CAs');
  });

  it('does not trust an issuer that is no CA', () => {
    const leaf = buildCertificate({ name: 'Leaf', issuer: root });
    const forged = buildCertificate({ name: 'Forged', issuer: leaf });
    const cert = signManifest(manifest, 'a.mf', forged, { chain: [leaf] });
    expect(check(cert, [root.pem]).status).toBe('valid-untrusted');
    expect(check(cert, [leaf.pem]).status).toBe('valid-untrusted');
  });

  it.each([
    ['expired', { validTo: new Date('2025-01-01') }],
    ['not yet valid', { validFrom: new Date('2027-01-01') }],
  ])('does not trust a certificate or CA that is %s', (_what, validity) => {
    const late = buildCertificate({ name: 'Late', issuer: root, ...validity });
    const result = check(signManifest(manifest, 'a.mf', late), [root.pem, late.pem]);
    expect(result.status).toBe('valid-untrusted');
    expect(result.detail).toContain('is valid from');
    const lateRoot = buildCertificate({ name: 'Late root', isCa: true, ...validity });
    const child = buildCertificate({ name: 'Child', issuer: lateRoot });
    expect(check(signManifest(manifest, 'a.mf', child), [lateRoot.pem]).status).toBe('valid-untrusted');
  });

  it('is not led in circles by certificates that vouch for each other', () => {
    const first = buildCertificate({ name: 'Ring', isCa: true });
    const second = buildCertificate({ name: 'Ring', isCa: true, issuer: first });
    const leaf = buildCertificate({ name: 'Leaf', issuer: second });
    const cert = signManifest(manifest, 'a.mf', leaf, { chain: [first, second] });
    expect(check(cert, [root.pem]).status).toBe('valid-untrusted');
  });

  const good = signManifest(manifest, 'a.mf', direct).toString();
  it.each([
    ['a changed manifest', good, 'fits the signature', Buffer.from(`${manifest} `)],
    ['a changed signature', good.replace(/= 30../, '= 3000'), 'fits the signature', manifest],
    ['another algorithm than signed', good.replace('SHA256', 'SHA512'), 'fits the signature', manifest],
    ["another manifest's signature", good.replace('a.mf', 'b.mf'), 'not for "a.mf"', manifest],
    ['no signature line', direct.pem, 'no line', manifest],
    ['half a byte of signature', good.replace('= 30', '= 3'), 'no line', manifest],
    ['no certificate', good.split('\n', 1)[0] ?? '', 'no PEM certificate', manifest],
    ['a damaged certificate', good.replace(/MII.{10}/, 'MIIAAAAAAAAAA'), 'cannot be read', manifest],
    ['too many certificates', good + direct.pem.repeat(20), '21 certificates', manifest],
    ['nothing', '', 'no line', manifest],
    ['a megabyte', 'x'.repeat(1024 * 1024 + 1), 'bytes', manifest],
  ])('calls %s invalid', (_what, cert, part, signed) => {
    const result = check(Buffer.from(cert), [root.pem], signed);
    expect(result.status).toBe('invalid');
    expect(result.detail).toContain(part);
    expect(result).not.toHaveProperty('signer');
  });

  it('reads Windows line ends and spaces as manifests have them', () => {
    const cert = good.replaceAll('\n', '\r\n').replace('SHA256(a.mf)= ', 'sha256 (a.mf) = ');
    expect(check(Buffer.from(cert)).status).toBe('valid-untrusted');
  });

  it('refuses CAs that are no certificates as a mistake of the caller', () => {
    expect(() => check(Buffer.from(good), ['hello'])).toThrow(TypeError);
  });
});
