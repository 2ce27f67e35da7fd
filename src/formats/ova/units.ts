/** Words of old descriptors. They mean powers of two, as `byte * 2^20` does in newer ones. */
const WORDS: ReadonlyMap<string, bigint> = new Map(
  [
    ['', 'b', 'byte', 'bytes'],
    ['k', 'kb', 'kib', 'kilobyte', 'kilobytes', 'kibibyte', 'kibibytes'],
    ['m', 'mb', 'mib', 'megabyte', 'megabytes', 'mebibyte', 'mebibytes'],
    ['g', 'gb', 'gib', 'gigabyte', 'gigabytes', 'gibibyte', 'gibibytes'],
    ['t', 'tb', 'tib', 'terabyte', 'terabytes', 'tebibyte', 'tebibytes'],
    ['p', 'pb', 'pib', 'petabyte', 'petabytes', 'pebibyte', 'pebibytes'],
  ].flatMap((words, power) => words.map((word) => [word, 1n << BigInt(10 * power)] as const)),
);

const MAX_EXPONENT = 63;
const MAX_FACTORS = 8;

/**
 * Bytes per unit for every spelling in use: `byte * 2^20` (DSP0004 annex C) with any spacing, case and order of factors, `byte*1024*1024`, `byte * 10^9`, and
 * words such as `MegaBytes`, `MB`, `bytes`. Undefined for anything else.
 */
export function parseByteUnit(text: string): bigint | undefined {
  const compact = text.replace(/\s+/g, '').toLowerCase();
  if (compact.length > 100) return undefined;
  const factors = compact.split('*');
  if (factors.length > MAX_FACTORS) return undefined;

  let bytes = 1n;
  let hasUnit = false;
  for (const factor of factors) {
    const word = WORDS.get(factor);
    if (word !== undefined && (factor !== '' || factors.length === 1)) {
      if (hasUnit) return undefined;
      hasUnit = true;
      bytes *= word;
      continue;
    }
    const number = parseFactor(factor);
    if (number === undefined) return undefined;
    bytes *= number;
  }
  return hasUnit ? bytes : undefined;
}

/** `1024` or `2^20`. */
function parseFactor(factor: string): bigint | undefined {
  const match = /^([0-9]{1,10})(?:\^([0-9]{1,2}))?$/.exec(factor);
  if (!match) return undefined;
  const exponent = Number(match[2] ?? '1');
  if (exponent > MAX_EXPONENT) return undefined;
  const value = BigInt(match[1] ?? '0') ** BigInt(exponent);
  return value > 0n ? value : undefined;
}
