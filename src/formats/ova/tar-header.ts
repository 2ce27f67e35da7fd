/** One 512-byte header of a tar archive: POSIX.1-1988 "ustar", its v7 ancestor and GNU's variant. */
export const TAR_BLOCK_BYTES = 512;

export interface TarHeader {
  readonly name: string;
  readonly sizeBytes: number;
  /** One character; NUL of old archives becomes `0`. */
  readonly type: string;
}

/** The header, or in one phrase why it is none. */
export function parseTarHeader(block: Uint8Array): TarHeader | { readonly fault: string } {
  if (!hasValidChecksum(block)) return { fault: 'has a wrong checksum' };
  const sizeBytes = parseNumber(block.subarray(124, 136));
  if (sizeBytes === undefined) return { fault: 'has a size that is not a number' };
  if (sizeBytes > Number.MAX_SAFE_INTEGER - TAR_BLOCK_BYTES) return { fault: 'claims more than 8 PiB' };

  const typeByte = block[156] ?? 0;
  const base = textOf(block.subarray(0, 100));
  // Only POSIX has a name prefix; GNU's magic "ustar  " keeps times in the same place.
  const isPosix = textOf(block.subarray(257, 263)) === 'ustar';
  const prefix = isPosix ? textOf(block.subarray(345, 500)) : '';
  return {
    name: prefix === '' ? base : `${prefix}/${base}`,
    sizeBytes,
    type: typeByte === 0 ? '0' : String.fromCharCode(typeByte),
  };
}

export function isZeroBlock(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0);
}

export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** The sum over the header with its own field as spaces. Some old writers summed signed bytes. */
function hasValidChecksum(block: Uint8Array): boolean {
  const stored = parseNumber(block.subarray(148, 156));
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < TAR_BLOCK_BYTES; index += 1) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return stored === unsigned || stored === signed;
}

/** Octal digits between spaces, ended by space or NUL; or, with the top bit set, a big-endian number (GNU, for sizes of 8 GiB and more). */
function parseNumber(field: Uint8Array): number | undefined {
  const first = field[0] ?? 0;
  if (first & 0x80) {
    if (first & 0x40) return undefined; // negative
    let value = BigInt(first & 0x3f);
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    return Number(value);
  }
  const text = textOf(field).trim();
  if (!/^[0-7]*$/.test(text)) return undefined;
  return text === '' ? 0 : Number.parseInt(text, 8);
}
