import { bytesPerSecond, type SourceRates, type TargetRates } from '../ports/measure.ts';

/** What an import will take, by what was measured. Plain data, kept in the report. */
export interface Estimate {
  /** Copy and verification. */
  readonly ms: number;
  readonly copyMs: number;
  readonly verifyMs: number;
  /** What the copy waits for. */
  readonly limitedBy: Side;
  readonly rates: TransferRates;
}

/** The source giving bytes, this machine unpacking and hashing them, the target taking them. */
export type Side = 'read' | 'decode' | 'write';

/** Bytes per second. */
export interface TransferRates {
  /** As the source stores them. */
  readonly read: number;
  /** Of the disk, unpacked and hashed by all lanes together. */
  readonly decode: number;
  /** Of the disk, hashed by all lanes together. */
  readonly hash: number;
  /** Absent where the target was not measured. */
  readonly write?: number | undefined;
  readonly readBack?: number | undefined;
}

export interface TransferWork {
  /** What has to come from the source. */
  readonly storedBytes: number;
  /** Of the disks, to be unpacked, written and read back. */
  readonly dataBytes: number;
}

export function ratesOf(source: SourceRates, target: TargetRates | undefined): TransferRates {
  const { lanes } = source;
  const hash = bytesPerSecond(source.hash) * lanes;
  // One thread does both with each byte.
  const decode = 1 / (1 / (bytesPerSecond(source.decode) * lanes) + 1 / hash);
  const read = bytesPerSecond(source.read);
  if (target === undefined) return { read, decode, hash };
  return { read, decode, hash, write: bytesPerSecond(target.write), readBack: bytesPerSecond(target.readBack) };
}

/** The three sides work at the same time, so the slowest one is the copy's time; the verification follows it. */
export function estimateTransfer({ storedBytes, dataBytes }: TransferWork, rates: TransferRates): Estimate {
  const sides: readonly (readonly [Side, number])[] = [
    ['read', msFor(storedBytes, rates.read)],
    ['decode', msFor(dataBytes, rates.decode)],
    ['write', msFor(dataBytes, rates.write)],
  ];
  const [limitedBy, copyMs] = sides.reduce((slowest, each) => (each[1] > slowest[1] ? each : slowest));
  const verifyMs = Math.max(msFor(dataBytes, rates.readBack), msFor(dataBytes, rates.hash));
  return { ms: copyMs + verifyMs, copyMs, verifyMs, limitedBy, rates };
}

/** What was not measured takes no time, rather than an invented one. */
function msFor(bytes: number, rate: number | undefined): number {
  return rate === undefined ? 0 : (bytes / rate) * 1000;
}
