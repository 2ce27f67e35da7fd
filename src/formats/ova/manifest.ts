import { ProblemError } from '../../domain/problems.ts';

export interface ManifestDigest {
  readonly algorithm: 'sha1' | 'sha256' | 'sha512';
  /** Lower-case hex. */
  readonly hex: string;
}

export interface Manifest {
  /** By file name as the manifest spells it, in its order. */
  readonly entries: ReadonlyMap<string, ManifestDigest>;
}

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MAX_LINE_CHARACTERS = 8192;
const HEX_DIGITS = { sha1: 40, sha256: 64, sha512: 128 } as const;

/**
 * Parses a manifest: a line `SHA256(name)= hex` per file, with any spacing and case, which includes what `sha256sum --tag` writes. A file given by several
 * algorithms keeps the strongest.
 * @throws ProblemError `ManifestMalformed`
 */
export function parseManifest(text: Uint8Array, options: { readonly name?: string } = {}): Manifest {
  const name = options.name ?? 'the manifest';
  if (text.length > MAX_MANIFEST_BYTES) {
    throw new ProblemError(
      'ManifestMalformed',
      `${name} has ${text.length} bytes; at most ${MAX_MANIFEST_BYTES} are read`,
    );
  }
  const entries = new Map<string, ManifestDigest>();
  let number = 0;
  for (const line of new TextDecoder().decode(text).split(/\r\n|\n|\r/)) {
    number += 1;
    if (line.trim() === '' || line.startsWith('#')) continue;
    const entry = parseDigestLine(line);
    if ('fault' in entry) throw new ProblemError('ManifestMalformed', `${name}, line ${number} ${entry.fault}`);
    if (entry.hex.length !== HEX_DIGITS[entry.algorithm]) {
      throw new ProblemError(
        'ManifestMalformed',
        `${name}, line ${number}: a ${entry.algorithm} digest has ${HEX_DIGITS[entry.algorithm]} hex digits, not ${entry.hex.length}`,
      );
    }
    const earlier = entries.get(entry.fileName);
    if (earlier?.algorithm === entry.algorithm && earlier.hex !== entry.hex) {
      throw new ProblemError(
        'ManifestMalformed',
        `${name}, line ${number}: a second, different digest of ${JSON.stringify(entry.fileName)}`,
      );
    }
    if (earlier === undefined || HEX_DIGITS[entry.algorithm] > HEX_DIGITS[earlier.algorithm]) {
      entries.set(entry.fileName, { algorithm: entry.algorithm, hex: entry.hex });
    }
  }
  return { entries };
}

export interface DigestLine extends ManifestDigest {
  readonly fileName: string;
}

/** `SHA256(name)= hex`, which manifests and certificate files share; or in one phrase why it is none. The number of hex digits is not checked. */
export function parseDigestLine(line: string): DigestLine | { readonly fault: string } {
  if (line.length > MAX_LINE_CHARACTERS) return { fault: `has ${line.length} characters` };
  const match = /^\s*SHA-?(\d+)\s*\((.*)\)\s*=\s*([0-9a-f]+)\s*$/i.exec(line);
  if (!match) return { fault: 'is not of the form "SHA256(name)= hex"' };
  const [, bits, fileName = '', hex = ''] = match;
  if (bits !== '1' && bits !== '256' && bits !== '512')
    return { fault: `uses SHA-${bits}; SHA-1, SHA-256 and SHA-512 are known` };
  if (fileName.trim() === '') return { fault: 'names no file' };
  return { algorithm: `sha${bits}`, fileName: fileName.trim(), hex: hex.toLowerCase() };
}
