import { X509Certificate } from 'node:crypto';

const MAX_CERTIFICATES = 16;

/** The certificates of a PEM text in order, or in one phrase what is wrong with it. */
export function parseCertificates(text: string): X509Certificate[] | string {
  const blocks = text.split('-----BEGIN CERTIFICATE-----').slice(1);
  if (blocks.length === 0) return 'there is no PEM certificate';
  if (blocks.length > MAX_CERTIFICATES)
    return `there are ${blocks.length} certificates; at most ${MAX_CERTIFICATES} are read`;
  const certificates: X509Certificate[] = [];
  for (const block of blocks) {
    const body = block.split('-----END CERTIFICATE-----', 1)[0] ?? '';
    const der = Buffer.from(body, 'base64');
    try {
      certificates.push(new X509Certificate(der));
    } catch {
      return `certificate ${certificates.length + 1} cannot be read`;
    }
  }
  return certificates;
}

/**
 * The way from a certificate over intermediates to one of the anchors, all valid at `now`; the last is the anchor. An anchor that is the certificate itself is trusted
 * as it is. Path length limits and revocation are not looked at: Node shows neither.
 */
export function findTrustedChain(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  anchors: readonly X509Certificate[],
  now: Date,
): X509Certificate[] | undefined {
  if (hasExpired(leaf, now)) return undefined;
  const visited = new Set<string>();
  const search = (certificate: X509Certificate): X509Certificate[] | undefined => {
    visited.add(certificate.fingerprint256);
    if (anchors.some((anchor) => anchor.fingerprint256 === certificate.fingerprint256)) return [certificate];
    const anchor = anchors.find((candidate) => isIssuer(candidate, certificate, now));
    if (anchor) return [certificate, anchor];
    for (const next of intermediates) {
      if (visited.has(next.fingerprint256) || !isIssuer(next, certificate, now)) continue;
      const rest = search(next);
      if (rest) return [certificate, ...rest];
    }
    return undefined;
  };
  return search(leaf);
}

/** Also true before the certificate becomes valid. */
export function hasExpired(certificate: X509Certificate, now: Date): boolean {
  const isWithin =
    Date.parse(certificate.validFrom) <= now.getTime() && now.getTime() <= Date.parse(certificate.validTo);
  return !isWithin;
}

function isIssuer(issuer: X509Certificate, certificate: X509Certificate, now: Date): boolean {
  if (!issuer.ca || hasExpired(issuer, now) || !certificate.checkIssued(issuer)) return false;
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false; // a key of an unknown kind vouches for nobody
  }
}
