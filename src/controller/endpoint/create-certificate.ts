// The x509 library registers its classes through the metadata that this adds to Reflect; it must come first.
import 'reflect-metadata';
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** An authority of our own and the server's certificate by it, all as PEM. */
export interface EndpointCertificate {
  readonly caPem: string;
  readonly caKeyPem: string;
  readonly certificatePem: string;
  readonly keyPem: string;
}

export interface CertificateOptions {
  /** DNS names and IP addresses that the server is reached by; the first one is its common name. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const DAY_MS = 24 * 3600 * 1000;
const SERVER_DAYS = 365;
const AUTHORITY_DAYS = 10 * 365;
/** Clocks of nodes differ. */
const EARLY_MS = 3600 * 1000;
/** A certificate is replaced when less than this part of its life is left. */
const RENEW_AT = 1 / 3;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
/** Keys of a Secret, the common ones of kubernetes.io/tls and two of ours. */
const KEYS = { caPem: 'ca.crt', caKeyPem: 'ca.key', certificatePem: 'tls.crt', keyPem: 'tls.key' } as const;

/**
 * The certificate to serve with: the stored one while it is good for these names and for a third of its life; else a new one by the same authority, whose holders trust it already; and a
 * new authority only when the old one cannot be used or ends soon. The same object comes back when nothing had to be made.
 */
export async function renewCertificate(
  stored: EndpointCertificate | undefined,
  options: CertificateOptions,
): Promise<EndpointCertificate> {
  if (stored === undefined || !isAuthorityGood(stored, options.now)) return await createCertificate(options);
  return isServerGood(stored, options) ? stored : await signServer(stored, options);
}

/** A new authority and a certificate by it, good for a year. */
export async function createCertificate(options: CertificateOptions): Promise<EndpointCertificate> {
  const keys = await generateKeys();
  const authority = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Airlift worker endpoint authority',
    keys,
    ...validity(options.now, AUTHORITY_DAYS),
    serialNumber: serialNumber(),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return await signServer({ caPem: toPem(authority.toString('pem')), caKeyPem: await exportKey(keys) }, options);
}

/** For a Secret, as plain text by key. */
export function certificateToSecret(certificate: EndpointCertificate): Record<string, string> {
  return Object.fromEntries(
    (Object.keys(KEYS) as (keyof EndpointCertificate)[]).map((name) => [KEYS[name], certificate[name]]),
  );
}

/** Undefined when something is missing; whether the rest is any good is `renewCertificate`'s question. */
export function certificateFromSecret(values: Readonly<Record<string, string>>): EndpointCertificate | undefined {
  const { [KEYS.caPem]: caPem, [KEYS.caKeyPem]: caKeyPem, [KEYS.certificatePem]: certificatePem } = values;
  const keyPem = values[KEYS.keyPem];
  if (!caPem || !caKeyPem || !certificatePem || !keyPem) return undefined;
  return { caPem, caKeyPem, certificatePem, keyPem };
}

async function signServer(
  { caPem, caKeyPem }: Pick<EndpointCertificate, 'caPem' | 'caKeyPem'>,
  { names, now }: CertificateOptions,
): Promise<EndpointCertificate> {
  const [commonName] = names;
  if (commonName === undefined) throw new RangeError('a server needs at least one name');
  const keys = await generateKeys();
  const signingKey = await webcrypto.subtle.importKey('pkcs8', derOf(caKeyPem), ALGORITHM, false, ['sign']);
  const certificate = await X509CertificateGenerator.create({
    subject: [{ CN: [commonName.slice(0, 64)] }],
    issuer: new X509Certificate(caPem).subject.split('\n').toReversed().join(', '),
    publicKey: keys.publicKey,
    signingKey,
    ...validity(now, SERVER_DAYS),
    serialNumber: serialNumber(),
    signingAlgorithm: ALGORITHM,
    extensions: serverExtensions(names),
  });
  return { caPem, caKeyPem, certificatePem: toPem(certificate.toString('pem')), keyPem: await exportKey(keys) };
}

function serverExtensions(names: readonly string[]): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
    ),
  ];
}

function isAuthorityGood({ caPem, caKeyPem }: EndpointCertificate, now: number): boolean {
  return holds(() => {
    const authority = new X509Certificate(caPem);
    return authority.ca && authority.checkPrivateKey(createPrivateKey(caKeyPem)) && isFresh(authority, now);
  });
}

function isServerGood(
  { caPem, certificatePem, keyPem }: EndpointCertificate,
  { names, now }: CertificateOptions,
): boolean {
  return holds(() => {
    const server = new X509Certificate(certificatePem);
    return (
      server.checkPrivateKey(createPrivateKey(keyPem)) &&
      server.verify(new X509Certificate(caPem).publicKey) &&
      names.every((name) => (isIP(name) === 0 ? server.checkHost(name) : server.checkIP(name)) !== undefined) &&
      isFresh(server, now)
    );
  });
}

/** What cannot be parsed is as good as absent: a new one is made. */
function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

function isFresh({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
  return from <= now && to - now > (to - from) * RENEW_AT;
}

function validity(now: number, days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(now - EARLY_MS), notAfter: new Date(now + days * DAY_MS) };
}

/** Positive, as RFC 5280 4.1.2.2 wants it. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('hex');
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function exportKey({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return toPem(PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY'));
}

function derOf(pem: string): Buffer {
  return createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
}

function toPem(text: string): string {
  return `${text.trimEnd()}\n`;
}
