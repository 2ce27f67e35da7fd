/** What the figures to reach are meant for. */
const FULL_DATA_BYTES = 2_700_000_000;

export const VIRTUAL_BYTES = 8 * 2 ** 30;
/** `AIRLIFT_BENCH_DATA_BYTES` makes all rows smaller, to try the bench itself: its figures then say little. */
export const DATA_BYTES = Number(process.env.AIRLIFT_BENCH_DATA_BYTES ?? FULL_DATA_BYTES);
export const IS_FULL_SIZE = DATA_BYTES >= FULL_DATA_BYTES;

/** The disk of the processor and disk rows. */
export const LARGE_DISK = { virtualBytes: VIRTUAL_BYTES, dataBytes: DATA_BYTES } as const;

/** A row's own amount of data, smaller where all is. */
export function scaled(bytes: number): number {
  return Math.round(Math.min(1, DATA_BYTES / FULL_DATA_BYTES) * bytes);
}
