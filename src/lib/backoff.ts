export interface BackoffShape {
  /** Before the first repetition, at most. */
  readonly firstMs: number;
  readonly capMs: number;
}

/**
 * How long to wait after so many failures in a row (1 or more): doubling up to the cap, and shortened by chance to as little as half, so that those who failed together
 * do not return together.
 * @param random in [0, 1)
 */
export function backoffMs(failures: number, { firstMs, capMs }: BackoffShape, random: () => number): number {
  // Beyond 2^50 the doubling is past any cap, and further on it would not be a number any more.
  const full = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 50));
  return full * (0.5 + random() / 2);
}
