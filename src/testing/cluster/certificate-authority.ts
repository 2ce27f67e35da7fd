import 'reflect-metadata';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface Certificate {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface CertificateSubject {
  /** The user's name, for a client. */
  readonly commonName: string;
  /** The user's groups, for a client. */
  readonly organizations?: readonly string[];
  /** Addresses and host names; makes it a server's certificate too. */
  readonly hosts?: readonly string[];
}

/** Issues the certificates of one cluster; all are valid from an hour ago for a week. */
export interface CertificateAuthority extends Certificate {
  issue(subject: CertificateSubject): Promise<Certificate>;
}

const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

export async function createCertificateAuthority(name: string, now = Date.now()): Promise<CertificateAuthority> {
  const keys = await generateKeys();
  const validity = { notBefore: new Date(now - HOUR_MS), notAfter: new Date(now + 7 * 24 * HOUR_MS) };
  const subject = [{ CN: [name] }];
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: subject,
    keys,
    ...validity,
    signingAlgorithm: CURVE,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature, true),
    ],
  });
  return {
    ...(await inPem(certificate, keys)),
    async issue({ commonName, organizations = [], hosts = [] }) {
      const own = await generateKeys();
      const usages = [ExtendedKeyUsage.clientAuth, ...(hosts.length > 0 ? [ExtendedKeyUsage.serverAuth] : [])];
      const issued = await X509CertificateGenerator.create({
        subject: [...organizations.map((each) => ({ O: [each] })), { CN: [commonName] }],
        issuer: subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        ...validity,
        signingAlgorithm: CURVE,
        extensions: [
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension(usages),
          ...(hosts.length > 0 ? [new SubjectAlternativeNameExtension(hosts.map(alternativeName))] : []),
        ],
      });
      return inPem(issued, own);
    },
  };
}

/** With which the API server signs tokens of service accounts, and by which it knows them again. */
export function createServiceAccountKeys(): { readonly privatePem: string; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privatePem: privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
}

async function inPem(certificate: X509Certificate, keys: webcrypto.CryptoKeyPair): Promise<Certificate> {
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    keyPem: `${PemConverter.encode(key, PemConverter.PrivateKeyTag)}\n`,
  };
}

function alternativeName(host: string): { readonly type: 'ip' | 'dns'; readonly value: string } {
  return { type: /^[\d.]+$/.test(host) ? 'ip' : 'dns', value: host };
}
