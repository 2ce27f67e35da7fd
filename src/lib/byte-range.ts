/** The bytes from `from` up to `to`; all of the file where `isPart` is false. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
  readonly isPart: boolean;
}

/**
 * Reads a Range header (RFC 9110 14.2) for a file of this size. Several ranges at once, and what cannot be understood, are answered with the whole file, as the standard allows.
 * Undefined: there is nothing at that place.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const whole = { from: 0, to: sizeBytes, isPart: false };
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return whole;
  if (first === '') {
    const count = Math.min(Number(last), sizeBytes);
    return count === 0 ? undefined : { from: sizeBytes - count, to: sizeBytes, isPart: true };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return whole;
  if (from >= sizeBytes) return undefined;
  return { from, to: last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes), isPart: true };
}
