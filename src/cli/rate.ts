import { parseRate as bytesPerSecondOf, LEAST_RATE } from '../lib/parse-rate.ts';
import { UsageError } from './usage-error.ts';

/**
 * Bytes per second from text such as `150MB`, `20MiB`, `1.5G` or `150MB/s`. Without the `i` units are decimal; `K` is `k`.
 * @throws UsageError
 */
export function parseRate(text: string): number {
  const bytesPerSecond = bytesPerSecondOf(text);
  if (bytesPerSecond === undefined) {
    const isBits = /b(it|ps|\/s|$)/.test(text.trim());
    const hint = isBits ? ' (rates are in bytes: write 15MB for 120 Mbit)' : '';
    throw new UsageError(`"${text}" is no rate; write bytes per second, such as 150MB, 20MiB or 1.5G${hint}`);
  }
  if (bytesPerSecond < LEAST_RATE) {
    throw new UsageError(`"${text}" is less than 1kB per second; write a unit, such as 150MB, 20MiB or 1.5G`);
  }
  if (!Number.isSafeInteger(bytesPerSecond)) throw new UsageError(`"${text}" is more than any link carries`);
  return bytesPerSecond;
}
