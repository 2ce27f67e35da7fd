import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Makes X.509 certificates, which node:crypto can read but not write: the few fields of RFC 5280 that a chain needs. */
export interface TestCertificate {
  readonly pem: string;
  readonly privateKey: KeyObject;
  readonly name: string;
}

export interface CertificateSpec {
  readonly name: string;
  /** Signs itself unless given. */
  readonly issuer?: TestCertificate;
  readonly isCa?: boolean;
  readonly validFrom?: Date;
  readonly validTo?: Date;
  readonly key?: 'ec' | 'rsa';
}

const OID = { commonName: '2.5.4.3', basicConstraints: '2.5.29.19' };
const SIGNATURE_ALGORITHM = { ec: '1.2.840.10045.4.3.2', rsa: '1.2.840.113549.1.1.11' };
let serial = 1;

export function buildCertificate(spec: CertificateSpec): TestCertificate {
  const { publicKey, privateKey } =
    spec.key === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = spec.issuer ?? { privateKey, name: spec.name };
  const algorithm = algorithmId(signer.privateKey);
  serial += 1;
  const body = sequence(
    explicit(0, integer(2)),
    integer(serial),
    algorithm,
    distinguishedName(signer.name),
    sequence(time(spec.validFrom ?? new Date('2020-01-01')), time(spec.validTo ?? new Date('2040-01-01'))),
    distinguishedName(spec.name),
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(sequence(oid(OID.basicConstraints), octets(sequence(...(spec.isCa ? [boolean(true)] : [])))))),
  );
  const der = sequence(body, algorithm, bits(sign('sha256', body, signer.privateKey)));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  const pem = `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  return { pem, privateKey, name: spec.name };
}

function algorithmId(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'rsa'
    ? sequence(oid(SIGNATURE_ALGORITHM.rsa), tlv(5, Buffer.alloc(0)))
    : sequence(oid(SIGNATURE_ALGORITHM.ec));
}

function distinguishedName(name: string): Buffer {
  return sequence(tlv(0x31, sequence(oid(OID.commonName), tlv(0x0c, Buffer.from(name)))));
}

function time(date: Date): Buffer {
  return tlv(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

function tlv(tag: number, content: Uint8Array): Buffer {
  const length = content.length;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

const sequence = (...parts: readonly Uint8Array[]) => tlv(0x30, Buffer.concat(parts));
const explicit = (number: number, content: Uint8Array) => tlv(0xa0 + number, content);
const integer = (value: number) => tlv(2, Buffer.from(value < 128 ? [value] : [value >> 8, value & 255]));
const boolean = (value: boolean) => tlv(1, Buffer.from([value ? 255 : 0]));
const octets = (content: Uint8Array) => tlv(4, content);
const bits = (content: Uint8Array) => tlv(3, Buffer.concat([Buffer.from([0]), content]));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = rest.flatMap((number) => {
    const digits = [number & 127];
    for (let left = number >> 7; left > 0; left >>= 7) digits.unshift((left & 127) | 128);
    return digits;
  });
  return tlv(6, Buffer.from([first * 40 + second, ...bytes]));
}

/** The content of a .cert: the manifest's signature, then the certificates. */
export function signManifest(
  manifest: Uint8Array,
  manifestName: string,
  signer: TestCertificate,
  options: { readonly chain?: readonly TestCertificate[]; readonly algorithm?: 'sha1' | 'sha256' | 'sha512' } = {},
): Buffer {
  const algorithm = options.algorithm ?? 'sha256';
  const hex = sign(algorithm, manifest, signer.privateKey).toString('hex');
  const certificates = [signer, ...(options.chain ?? [])].map((certificate) => certificate.pem);
  return Buffer.from(`${algorithm.toUpperCase()}(${manifestName})= ${hex}\n${certificates.join('')}`);
}
