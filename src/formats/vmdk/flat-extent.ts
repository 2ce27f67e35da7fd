import { ProblemError } from '../../domain/problems.ts';
import { type EncodedPiece, type EncodedRange, MAX_RANGE_BYTES } from '../../ports/disk-reader.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import { ByteReader } from '../byte-reader.ts';
import { type Extent, type ExtentRangesOptions, type Placement, rangedFile } from './extent.ts';
import { corrupt } from './layout.ts';
import type { LeafClaims } from './leaf-claims.ts';
import { isWanted, RangeAssembler } from './range-assembler.ts';

/** A run of plain bytes in a file and the place in the disk they belong to. */
export interface FlatSegment {
  readonly fileOffset: number;
  readonly diskOffset: number;
  readonly sizeBytes: number;
}

/**
 * Opens the flat extents that lie in one file. They have no map: all of it is data. With random access only where the pieces lie is told, without it they
 * come along as the file passes.
 * @param segments in any order
 * @throws ProblemError `DiskImageTruncated`, `DiskImageCorrupt` when segments overlap in the file
 */
export function openFlatExtent(
  image: ImageFile,
  options: { readonly file: number; readonly segments: readonly FlatSegment[]; readonly claims: LeafClaims },
): Extent {
  const segments = options.segments.toSorted((one, other) => one.fileOffset - other.fileOffset);
  let end = 0;
  for (const { fileOffset, sizeBytes } of segments) {
    if (fileOffset < end) throw corrupt(image.name, `is named by two extents that overlap at byte ${fileOffset}`);
    end = fileOffset + sizeBytes;
  }
  if (image.sizeBytes !== undefined && image.sizeBytes < end) {
    throw new ProblemError('DiskImageTruncated', `${image.name} has ${image.sizeBytes} bytes; the disk needs ${end}`);
  }
  for (const segment of segments) {
    for (const piece of piecesOf(segment)) options.claims.claim(piece.offset, piece.length);
  }
  const placement = { file: options.file, segments };
  return {
    allocation: { kind: 'exact', bytes: segments.reduce((sum, segment) => sum + segment.sizeBytes, 0) },
    ranges: (rangesOptions) =>
      rangedFile(image) ? namePieces(placement, rangesOptions) : streamPieces(image, placement, rangesOptions),
  };
}

interface Segments extends Pick<Placement, 'file'> {
  readonly segments: readonly FlatSegment[];
}

/** Pieces end at multiples of their size in the disk, so that none touches two leaves. */
function* piecesOf({ fileOffset, diskOffset, sizeBytes }: FlatSegment): Generator<EncodedPiece, void> {
  for (let done = 0; done < sizeBytes; ) {
    const offset = diskOffset + done;
    const length = Math.min(MAX_RANGE_BYTES - (offset % MAX_RANGE_BYTES), sizeBytes - done);
    yield { offset, length, fileOffset: fileOffset + done, fileBytes: length, encoding: 'plain' };
    done += length;
  }
}

async function* namePieces(
  { file, segments }: Segments,
  { ledger, wants, signal }: ExtentRangesOptions,
): AsyncGenerator<EncodedRange, void> {
  const assembler = new RangeAssembler(file, ledger, wants);
  for (const segment of segments) {
    for (const piece of piecesOf(segment)) {
      signal?.throwIfAborted();
      const range = assembler.add(piece);
      if (range) yield range;
    }
  }
  const last = assembler.take();
  if (last) yield last;
}

async function* streamPieces(
  image: ImageFile,
  { file, segments }: Segments,
  { ledger, wants, signal, observe }: ExtentRangesOptions,
): AsyncGenerator<EncodedRange, void> {
  const stream = image.stream({ signal, observe: observe && ((offset, bytes) => observe(file, offset, bytes)) });
  await using reader = new ByteReader(stream, { name: image.name });
  for (const segment of segments) {
    for (const piece of piecesOf(segment)) {
      await reader.skip(piece.fileOffset - reader.position);
      const wanted = isWanted(piece, wants);
      if (wanted) {
        const bytes = await reader.readExactly(piece.length);
        ledger.settle(piece.offset, piece.length);
        const { fileOffset, fileBytes } = piece;
        yield { file, fileOffset, fileBytes, pieces: [piece], bytes, ...closing(ledger.takeClosed()) };
      } else {
        await reader.skip(piece.length);
        ledger.settle(piece.offset, piece.length);
      }
    }
  }
  const fileOffset = reader.position;
  await reader.drain();
  const last = closing(ledger.takeClosed());
  if (last) yield { file, fileOffset, fileBytes: 0, pieces: [], ...last };
}

export function closing(
  closed: NonNullable<EncodedRange['closesLeaves']>,
): Pick<EncodedRange, 'closesLeaves'> | undefined {
  return closed.length > 0 ? { closesLeaves: closed } : undefined;
}
