import { ProblemError } from '../../domain/problems.ts';

/** Encodings by the name in the XML declaration; all descriptors we know of are UTF-8 or, from some Windows tools, UTF-16. */
const DECLARED: Readonly<Record<string, string>> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'us-ascii': 'utf-8',
  ascii: 'utf-8',
  'iso-8859-1': 'windows-1252',
  latin1: 'windows-1252',
  'windows-1252': 'windows-1252',
};

/**
 * Decodes an XML document: by its byte order mark, else by the pattern of its first character (XML 1.0, appendix F), else by its declaration.
 * @throws ProblemError `OvfMalformed`
 */
export function decodeXml(bytes: Uint8Array, name: string): string {
  const encoding = encodingOf(bytes, name);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ProblemError('OvfMalformed', `${name} is not valid ${encoding} text`, { cause });
  }
}

function encodingOf(bytes: Uint8Array, name: string): string {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  if (first === 0x3c && second === 0) return 'utf-16le';
  if (first === 0 && second === 0x3c) return 'utf-16be';

  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 200));
  const declared = /^<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']/.exec(head)?.[1]?.toLowerCase();
  if (declared === undefined || declared.startsWith('utf-16')) return 'utf-8'; // its first character is not UTF-16, whatever it says
  const encoding = DECLARED[declared];
  if (encoding === undefined) {
    throw new ProblemError(
      'OvfMalformed',
      `${name} is in the encoding ${JSON.stringify(declared)}, which is not supported`,
    );
  }
  return encoding;
}
