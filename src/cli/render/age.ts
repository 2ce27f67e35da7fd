const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How long ago, in one short word as kubectl writes it: `12s`, `5m`, `3h`, `8d`. Empty for what is no time. */
export function renderAge(time: string | undefined, now: number): string {
  const at = Date.parse(time ?? '');
  if (Number.isNaN(at)) return '';
  // Clocks differ; nothing is younger than now.
  const ms = Math.max(0, now - at);
  if (ms < 2 * MINUTE_MS) return `${Math.floor(ms / 1000)}s`;
  if (ms < 2 * HOUR_MS) return `${Math.floor(ms / MINUTE_MS)}m`;
  return ms < 2 * DAY_MS ? `${Math.floor(ms / HOUR_MS)}h` : `${Math.floor(ms / DAY_MS)}d`;
}
