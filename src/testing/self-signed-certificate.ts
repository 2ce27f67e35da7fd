import { generateKeyPairSync, sign } from 'node:crypto';

export interface SelfSignedCertificate {
  readonly keyPem: string;
  /** Serves as the CA too. */
  readonly certificatePem: string;
}

/**
 * A certificate for 127.0.0.1 and `localhost`, made anew for each test run so that no key lies in the repository. DER by hand (RFC 5280 4.1): Node makes
 * keys and signatures, but no certificates.
 */
export function makeSelfSignedCertificate(
  options: { notBefore?: Date; notAfter?: Date; hostNames?: readonly string[] } = {},
): SelfSignedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const day = 24 * 3600 * 1000;
  const name = der(0x30, der(0x31, der(0x30, objectId('2.5.4.3'), der(0x0c, Buffer.from('Airlift test')))));
  const ecdsaWithSha256 = der(0x30, objectId('1.2.840.10045.4.3.2'));
  const alternativeNames = [
    der(0x87, Buffer.from([127, 0, 0, 1])),
    ...(options.hostNames ?? ['localhost']).map((host) => der(0x82, Buffer.from(host))),
  ];
  const extensions = der(
    0xa3,
    der(
      0x30,
      der(0x30, objectId('2.5.29.17'), der(0x04, der(0x30, ...alternativeNames))),
      der(
        0x30,
        objectId('2.5.29.19'),
        der(0x01, Buffer.from([0xff])),
        der(0x04, der(0x30, der(0x01, Buffer.from([0xff])))),
      ),
    ),
  );
  const body = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    der(
      0x30,
      utcTime(options.notBefore ?? new Date(Date.now() - day)),
      utcTime(options.notAfter ?? new Date(Date.now() + day)),
    ),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions,
  );
  const signature = sign('sha256', body, privateKey);
  const certificate = der(0x30, body, ecdsaWithSha256, der(0x03, Buffer.from([0]), signature));
  const base64 = certificate.toString('base64').replaceAll(/(.{64})/g, '$1\n');
  return {
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificatePem: `-----BEGIN CERTIFICATE-----\n${base64.trimEnd()}\n-----END CERTIFICATE-----\n`,
  };
}

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  let head = [tag, length];
  if (length > 0xff) head = [tag, 0x82, length >> 8, length & 0xff];
  else if (length > 0x7f) head = [tag, 0x81, length];
  return Buffer.concat([Buffer.from(head), content]);
}

function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return der(0x06, Buffer.from(bytes));
}

function utcTime(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}
