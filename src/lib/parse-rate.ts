/** Text such as `150MB`, `20MiB`, `1.5G` or `150MB/s`. Also the pattern of such fields in a CRD, so in syntax that JavaScript and RE2 share. */
export const RATE = /^(\d+(?:\.\d+)?) ?(?:([kKMGT])(i?))?B?(?:\/s)?$/;

/** Bytes per second; less than this is a forgotten unit rather than a wish. */
export const LEAST_RATE = 1_000;

const POWERS = { k: 1, K: 1, M: 2, G: 3, T: 4 } as const;

/** Bytes per second; undefined for what is no rate. Without the `i` units are decimal; `K` is `k`. May be more than a safe integer. */
export function parseRate(text: string): number | undefined {
  const match = RATE.exec(text.trim());
  if (match === null) return undefined;
  const [, number = '', prefix, binary = ''] = match;
  const power = prefix === undefined ? 0 : POWERS[prefix as keyof typeof POWERS];
  return Math.round(Number(number) * (binary === '' ? 1000 : 1024) ** power);
}

/** Whether the text is a rate that a transfer can keep. */
export function isUsableRate(text: string): boolean {
  const bytesPerSecond = parseRate(text) ?? 0;
  return bytesPerSecond >= LEAST_RATE && Number.isSafeInteger(bytesPerSecond);
}
