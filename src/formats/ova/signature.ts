import { type KeyObject, verify, type X509Certificate } from 'node:crypto';
import { findTrustedChain, hasExpired, parseCertificates } from './certificate-chain.ts';
import { type DigestLine, parseDigestLine } from './manifest.ts';

export interface SignatureResult {
  readonly status: 'trusted' | 'valid-untrusted' | 'invalid';
  /** Present as soon as a certificate is known to have made the signature. */
  readonly signer?: SignatureSigner;
  /** One sentence for people. */
  readonly detail: string;
}

export interface SignatureSigner {
  readonly subject: string;
  readonly issuer: string;
  readonly validTo: string;
  readonly fingerprint256: string;
}

export interface CheckSignatureOptions {
  /** Name of the manifest's file, which the .cert must name. */
  readonly manifestName: string;
  /** PEM texts, each with one or more certificates. */
  readonly trustedCas: readonly string[];
  readonly now: Date;
}

const MAX_CERT_FILE_BYTES = 1024 * 1024;

/**
 * Checks the signature in a .cert file: a line `SHA256(name.mf)= hex`, whose hex is the manifest signed by RSA (PKCS#1 v1.5) or ECDSA, then the signer's
 * certificate and those between it and its root, in PEM. Whatever is wrong with the file itself makes the signature invalid.
 * @throws TypeError for trusted CAs that are not PEM certificates
 */
export function checkSignature(
  certFile: Uint8Array,
  manifest: Uint8Array,
  options: CheckSignatureOptions,
): SignatureResult {
  if (certFile.length > MAX_CERT_FILE_BYTES) return invalid(`the certificate file has ${certFile.length} bytes`);
  const text = new TextDecoder('latin1').decode(certFile);
  const signature = findSignatureLine(text);
  if (signature === undefined) return invalid('the certificate file has no line "SHA256(name.mf)= hex"');
  if (signature.fileName !== options.manifestName) {
    return invalid(
      `the signature is for ${JSON.stringify(signature.fileName)}, not for ${JSON.stringify(options.manifestName)}`,
    );
  }
  const certificates = parseCertificates(text);
  if (typeof certificates === 'string') return invalid(certificates);

  const signer = certificates.find((certificate) => isSignedBy(certificate, signature, manifest));
  if (!signer)
    return invalid(`no certificate in the file fits the signature of ${JSON.stringify(options.manifestName)}`);
  return { signer: describeSigner(signer), ...judgeTrust(signer, certificates, signature, options) };
}

function findSignatureLine(text: string): DigestLine | undefined {
  const beforePem = text.split('-----BEGIN', 1)[0] ?? '';
  for (const line of beforePem.split(/\r\n|\n|\r/)) {
    const parsed = parseDigestLine(line);
    if (!('fault' in parsed) && parsed.hex.length % 2 === 0) return parsed;
  }
  return undefined;
}

function isSignedBy(certificate: X509Certificate, signature: DigestLine, manifest: Uint8Array): boolean {
  const key = publicKeyOf(certificate);
  if (key?.asymmetricKeyType !== 'rsa' && key?.asymmetricKeyType !== 'ec') return false;
  return verify(signature.algorithm, manifest, key, Buffer.from(signature.hex, 'hex'));
}

function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined; // a key of a kind that OpenSSL does not know has signed nothing we can check
  }
}

function judgeTrust(
  signer: X509Certificate,
  certificates: readonly X509Certificate[],
  signature: DigestLine,
  { trustedCas, now }: CheckSignatureOptions,
): { status: 'trusted' | 'valid-untrusted'; detail: string } {
  const anchors = trustedCas.flatMap((pem) => {
    const parsed = parseCertificates(pem);
    if (typeof parsed === 'string') throw new TypeError(`trusted CA: ${parsed}`);
    return parsed;
  });
  const strength = signature.algorithm === 'sha1' ? ' (by the weak SHA-1)' : '';
  const who = JSON.stringify(oneLine(signer.subject));
  const chain = findTrustedChain(signer, certificates, anchors, now);
  if (chain) {
    const root = chain.at(-1) ?? signer;
    return {
      status: 'trusted',
      detail: `signed by ${who}${strength}, vouched for by ${JSON.stringify(oneLine(root.subject))}`,
    };
  }
  const why = hasExpired(signer, now)
    ? `whose certificate is valid from ${signer.validFrom} to ${signer.validTo} only`
    : anchors.length === 0
      ? 'and no CA was given to check the signer'
      : 'whom none of the given CAs vouches for';
  return { status: 'valid-untrusted', detail: `signed by ${who}${strength}, ${why}` };
}

function describeSigner(certificate: X509Certificate): SignatureSigner {
  return {
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    validTo: certificate.validTo,
    fingerprint256: certificate.fingerprint256,
  };
}

/** Node puts each part of a name on a line of its own. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ').slice(0, 1024);
}

function invalid(detail: string): SignatureResult {
  return { status: 'invalid', detail };
}
