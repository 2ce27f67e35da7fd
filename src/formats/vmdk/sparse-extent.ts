import { ProblemError } from '../../domain/problems.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { EncodedPiece, EncodedRange } from '../../ports/disk-reader.ts';
import type { Extent, ExtentRangesOptions, Placement, RangedFile } from './extent.ts';
import { GrainMap, NOT_A_GRAIN } from './grain-map.ts';
import { GrainTables, type TableCache } from './grain-tables.ts';
import {
  corrupt,
  MARKER_HEAD_BYTES,
  MarkerType,
  maxPayloadBytes,
  parseSparseHeader,
  SECTOR_BYTES,
  type SparseHeader,
} from './layout.ts';
import type { LeafClaims } from './leaf-claims.ts';
import { RangeAssembler } from './range-assembler.ts';

/** Zeroes after the end of the stream that are skipped in search of the footer. */
const MAX_TAIL_BYTES = 256 * 1024;

export interface OpenSparseOptions extends CallOptions, Placement {
  readonly header: SparseHeader;
  readonly claims: LeafClaims;
  readonly cache: TableCache;
}

/**
 * Opens a sparse extent with random access: its tables are read first, so that the allocation is exact and every leaf is closed with its last grain.
 * @throws ProblemError `DiskImageCorrupt`, `DiskImageTruncated`
 */
export async function openSparseExtent(file: RangedFile, options: OpenSparseOptions): Promise<Extent> {
  const { header, claims, diskOffset, sizeBytes } = options;
  const directoryOffset =
    header.directoryOffset === 'atEnd' ? await readFooter(file, header, options) : header.directoryOffset;
  const tables = new GrainTables(file, header, directoryOffset, options.cache);
  let bytes = 0;
  const map = await GrainMap.open(tables, {
    ...options,
    onGrain: (grain) => {
      const offset = grain * header.grainBytes;
      const length = Math.min(header.grainBytes, sizeBytes - offset);
      claims.claim(diskOffset + offset, length);
      bytes += length;
    },
  });
  return {
    allocation: { kind: 'exact', bytes },
    ranges: (rangesOptions) => readRanges(map, options, rangesOptions),
  };
}

async function* readRanges(
  map: GrainMap,
  placement: Placement,
  { ledger, wants, signal }: ExtentRangesOptions,
): AsyncGenerator<EncodedRange, void> {
  const { file } = map.tables;
  const assembler = new RangeAssembler(placement.file, ledger, wants);
  let waiting: { grain: number; start: number } | undefined;
  let frontier = 0;

  for await (const { sectors, grains, count } of map.inFileOrder({ signal })) {
    for (let at = 0; at < count; at += 1) {
      const start = (sectors[at] ?? 0) * SECTOR_BYTES;
      const grain = grains[at] ?? NOT_A_GRAIN;
      if (start < frontier) throw corrupt(file.name, `has two grains or tables that overlap at byte ${start}`);
      frontier = start + (grain === NOT_A_GRAIN ? map.header.tableBytes : map.leastBytesOf(grain));
      // Where the next thing begins is the only word on where a compressed grain ends at the latest.
      const range = waiting && assembler.add(pieceOf(map, placement, waiting, start));
      waiting = grain === NOT_A_GRAIN ? undefined : { grain, start };
      if (range) yield range;
    }
    signal?.throwIfAborted();
  }
  const range = waiting && assembler.add(pieceOf(map, placement, waiting, file.sizeBytes));
  if (range) yield range;
  const last = assembler.take();
  if (last) yield last;
}

function pieceOf(
  map: GrainMap,
  placement: Placement,
  { grain, start }: { grain: number; start: number },
  next: number,
): EncodedPiece {
  const { header } = map;
  const length = map.lengthOf(grain);
  const offset = placement.diskOffset + grain * header.grainBytes;
  if (!header.isCompressed) return { offset, length, fileOffset: start, fileBytes: length, encoding: 'plain' };
  return {
    offset,
    length,
    fileOffset: start,
    fileBytes: Math.min(next - start, MARKER_HEAD_BYTES + maxPayloadBytes(header)),
    encoding: 'vmdk-grain',
    ...(length < header.grainBytes && { unpackedBytes: header.grainBytes }),
  };
}

/**
 * Finds the footer, a copy of the header that knows where the directory is: marker, footer and end-of-stream marker are the last three sectors, which zero
 * padding may follow.
 */
async function readFooter(file: RangedFile, header: SparseHeader, options: CallOptions): Promise<number> {
  const wholeBytes = file.sizeBytes - (file.sizeBytes % SECTOR_BYTES);
  const from = Math.max(0, wholeBytes - MAX_TAIL_BYTES);
  const tail = await file.read(from, wholeBytes - from, options);
  const last = tail.findLastIndex((byte) => byte !== 0);
  const footerAt = last - (last % SECTOR_BYTES);
  const hasEnd = footerAt + 2 * SECTOR_BYTES <= tail.length;
  const markerAt = footerAt - SECTOR_BYTES;
  if (!hasEnd || markerAt < 0 || !isFooterMarker(tail.subarray(markerAt, footerAt))) {
    throw new ProblemError(
      'DiskImageTruncated',
      `${file.name} has no footer at its end, at byte ${file.sizeBytes}; the header says that the grain directory is found there`,
    );
  }
  const footer = parseSparseHeader(tail.subarray(footerAt, footerAt + SECTOR_BYTES), `the footer of ${file.name}`);
  requireSameDisk(header, footer, file.name);
  if (footer.directoryOffset === 'atEnd') throw corrupt(file.name, 'has a footer that does not name a grain directory');
  return footer.directoryOffset;
}

function isFooterMarker(sector: Uint8Array): boolean {
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  return view.getUint32(8, true) === 0 && view.getUint32(12, true) === MarkerType.footer;
}

/** @throws ProblemError `DiskImageCorrupt` when header and footer describe different disks */
export function requireSameDisk(header: SparseHeader, footer: SparseHeader, name: string): void {
  for (const field of ['capacityBytes', 'grainBytes', 'entriesPerTable', 'isCompressed'] as const) {
    if (header[field] !== footer[field]) {
      throw corrupt(name, `has ${field} ${header[field]} in its header and ${footer[field]} in its footer`);
    }
  }
}
