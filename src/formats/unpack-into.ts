import { ProblemError } from '../domain/problems.ts';
import type { EncodedPiece } from '../ports/disk-reader.ts';
import { type Inflate, InflateError } from '../ports/lane.ts';

/**
 * Unpacks a compressed piece, straight into `out` unless the disk ends inside the piece, whose rest is then dropped. Returns the bytes it unpacked to, which may be more than `out`
 * holds, but never more than the piece may have.
 * @throws ProblemError `DiskImageCorrupt`, `DiskGrainOversized`
 */
export function unpackInto(
  inflate: Inflate,
  wrapping: 'zlib' | 'raw' | 'zstd',
  piece: EncodedPiece,
  packed: Uint8Array,
  out: Uint8Array,
): number {
  const { offset, fileOffset, unpackedBytes = 0 } = piece;
  const isCut = unpackedBytes > out.length;
  const into = isCut ? new Uint8Array(unpackedBytes) : out;
  try {
    const bytes = inflate(wrapping === 'zstd' ? 'raw' : wrapping, packed, into);
    if (isCut) out.set(into.subarray(0, out.length));
    return bytes;
  } catch (cause) {
    const context = { offset, fileOffset };
    const what = `the compressed part at file offset ${fileOffset}, for disk offset ${offset},`;
    if (isTooLong(cause)) {
      throw new ProblemError('DiskGrainOversized', `${what} unpacks to more than ${into.length} bytes`, {
        cause,
        context,
      });
    }
    throw new ProblemError('DiskImageCorrupt', `${what} is no ${wrapping} stream of at most ${into.length} bytes`, {
      cause,
      context,
    });
  }
}

function isTooLong(cause: unknown): boolean {
  if (cause instanceof InflateError) return cause.kind === 'tooLong';
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE';
}
