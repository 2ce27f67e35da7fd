import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { EncodedPiece } from '../../ports/disk-reader.ts';
import { PieceBatch } from './piece-batch.ts';
import type { Survey } from './survey.ts';
import type { Qcow2Tables } from './tables.ts';

/** Pieces sorted at a time: 24 MiB of columns and 4 MiB of order. */
export const PIECES_PER_PASS = 2 ** 20;
/** Pieces made into objects at a time. */
const CHUNK_PIECES = 1024;

/**
 * Yields all pieces in the file's order. Where that is the disk's order too, tables are read as far as the consumer asks. Otherwise the tables are walked once for
 * every PIECES_PER_PASS pieces, and each walk keeps those of one part of the file.
 */
export async function* piecesInFileOrder(
  tables: Qcow2Tables,
  survey: Survey,
  options: CallOptions & { readonly piecesPerPass?: number } = {},
): AsyncGenerator<EncodedPiece[], void> {
  if (survey.isRising) {
    for await (const batch of tables.batches(options)) yield* chunks(batch, tables);
    return;
  }
  for (const pass of planPasses(survey, options.piecesPerPass ?? PIECES_PER_PASS)) {
    const kept = new PieceBatch(pass.pieces);
    for await (const batch of tables.batches(options)) keepPart(batch, kept, pass);
    const order = new Uint32Array(kept.count).map((_, index) => index);
    order.sort((one, other) => kept.fileOffset(one) - kept.fileOffset(other));
    yield* chunks(kept, tables, order);
  }
}

interface Pass {
  readonly from: number;
  readonly to: number;
  readonly pieces: number;
}

/** Neighbouring buckets are put together up to `most` pieces. */
export function planPasses({ piecesPerBucket, bucketBytes }: Survey, most: number): Pass[] {
  const passes: Pass[] = [];
  let from = 0;
  let pieces = 0;
  for (const [bucket, count] of piecesPerBucket.entries()) {
    if (pieces > 0 && pieces + count > most) {
      passes.push({ from: from * bucketBytes, to: bucket * bucketBytes, pieces });
      from = bucket;
      pieces = 0;
    }
    // Real clusters are not that small: 65,536 buckets of a full file hold a few thousand each.
    if (count > 4 * PIECES_PER_PASS) {
      throw new ProblemError(
        'DiskImageCorrupt',
        `${count} clusters are said to lie in the ${bucketBytes} bytes from file offset ${bucket * bucketBytes}`,
      );
    }
    pieces += count;
  }
  if (pieces > 0) passes.push({ from: from * bucketBytes, to: Number.POSITIVE_INFINITY, pieces });
  return passes;
}

function keepPart(batch: PieceBatch, kept: PieceBatch, { from, to }: Pass): void {
  for (let index = 0; index < batch.count; index += 1) {
    const fileOffset = batch.fileOffset(index);
    if (fileOffset < from || fileOffset >= to) continue;
    if (kept.count === kept.offsets.length) {
      throw new ProblemError('DiskImageCorrupt', 'the tables of the image changed while they were read');
    }
    kept.add(batch.offset(index), batch.length(index), fileOffset, batch.packedBytes[index] ?? 0);
  }
}

function* chunks(batch: PieceBatch, tables: Qcow2Tables, order?: Uint32Array): Generator<EncodedPiece[], void> {
  for (let first = 0; first < batch.count; first += CHUNK_PIECES) {
    const length = Math.min(CHUNK_PIECES, batch.count - first);
    yield Array.from({ length }, (_, index) => batch.piece(order?.[first + index] ?? first + index, tables.header));
  }
}
