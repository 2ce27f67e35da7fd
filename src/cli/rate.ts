import { UsageError } from './usage-error.ts';

const POWERS = { '': 0, k: 1, M: 2, G: 3, T: 4 } as const;
/** Less than this is a forgotten unit rather than a wish. */
const LEAST = 1_000;

/**
 * Bytes per second from text such as `150MB`, `20MiB`, `1.5G` or `150MB/s`. Without the `i` units are decimal; `K` is `k`.
 * @throws UsageError
 */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kKMGT]?)(i?)(B?)(?:\/s)?$/.exec(text.trim());
  const [, number = '', prefix = '', binary = ''] = match ?? [];
  if (match === null || (binary !== '' && prefix === '')) {
    const isBits = /b(it|ps|\/s|$)/.test(text.trim());
    const hint = isBits ? ' (rates are in bytes: write 15MB for 120 Mbit)' : '';
    throw new UsageError(`"${text}" is no rate; write bytes per second, such as 150MB, 20MiB or 1.5G${hint}`);
  }
  const power = POWERS[(prefix === 'K' ? 'k' : prefix) as keyof typeof POWERS];
  const bytesPerSecond = Math.round(Number(number) * (binary === '' ? 1000 : 1024) ** power);
  if (bytesPerSecond < LEAST) {
    throw new UsageError(`"${text}" is less than 1kB per second; write a unit, such as 150MB, 20MiB or 1.5G`);
  }
  if (!Number.isSafeInteger(bytesPerSecond)) throw new UsageError(`"${text}" is more than any link carries`);
  return bytesPerSecond;
}
