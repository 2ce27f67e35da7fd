import { ProblemError } from '../../domain/problems.ts';
import type { DecodePiece, EncodedPiece } from '../../ports/disk-reader.ts';
import type { RateLimiter } from '../../ports/transfer.ts';

/** What reading a disk leaf by leaf takes, whichever way its source can be read. */
export interface LeafOptions {
  readonly decode: DecodePiece;
  readonly rateLimiter?: RateLimiter | undefined;
  /** Is shown each leaf that was read, whole; also again when it is read again. */
  readonly onLeaf?: ((leaf: number, bytes: Uint8Array) => void) | undefined;
  /** Counts the bytes that came from the source. */
  readonly onFetched?: ((bytes: number) => void) | undefined;
  /** Ends everything that is being fetched. */
  readonly signal?: AbortSignal | undefined;
}

export function tooShort({ offset, length, fileOffset }: EncodedPiece, decoded: number): ProblemError {
  return new ProblemError(
    'DiskImageCorrupt',
    `the piece at file offset ${fileOffset} unpacks to ${decoded} bytes; the disk has ${length} at byte ${offset}`,
    { context: { offset, fileOffset } },
  );
}
