import type { EncodedPiece, EncodedRange } from '../../ports/disk-reader.ts';
import type { ImageFile } from '../../ports/image-file.ts';
import { ByteReader } from '../byte-reader.ts';
import type { Extent, ExtentRangesOptions, Placement } from './extent.ts';
import { ForwardRun } from './forward-run.ts';
import { type ForwardTables, FrontTables, rangesRequired, requireKeepable, TrailingTables } from './forward-tables.ts';
import {
  corrupt,
  MARKER_HEAD_BYTES,
  type Marker,
  MarkerType,
  maxPayloadBytes,
  parseEntries,
  parseMarker,
  parseSparseHeader,
  SECTOR_BYTES,
  type SparseHeader,
} from './layout.ts';
import type { LeafClaims, LeafLedger } from './leaf-claims.ts';
import { isWanted } from './range-assembler.ts';
import { requireSameDisk } from './sparse-extent.ts';

/** More tables than a disk of 64 TiB has with the usual grains. */
const MAX_TABLES = 4 * 1024 * 1024;

interface ForwardExtent extends Placement {
  readonly image: ImageFile;
  readonly header: SparseHeader;
  /** Absent when the tables follow the data. */
  readonly directoryOffset: number | undefined;
}

/**
 * Opens a sparse extent that can only be read in order. Grains are told by their markers, or by the tables when those come first; either way markers and
 * tables are compared. Leaves are closed a whole grain table (mostly 32 MiB) at a time.
 * @throws ProblemError `SourceRangesRequired` when the tables follow data without markers
 */
export function openForwardExtent(
  image: ImageFile,
  options: Placement & { readonly header: SparseHeader; readonly claims: LeafClaims },
): Extent {
  const { header, claims } = options;
  const { directoryOffset } = header;
  const isInFront = directoryOffset !== 'atEnd' && directoryOffset < header.dataOffset;
  if (!isInFront && !header.isCompressed) throw rangesRequired(image.name, 'has its grain tables behind the data');
  if (isInFront) requireKeepable(header, image.name);
  if (header.tableCount > MAX_TABLES) throw rangesRequired(image.name, `has ${header.tableCount} grain tables`);
  const extent = { ...options, image, directoryOffset: isInFront ? directoryOffset : undefined };
  for (let table = 0; table < header.tableCount; table += 1) {
    const { offset, length } = coverageOf(extent, table);
    if (length > 0) claims.claim(offset, length);
  }
  return { allocation: { kind: 'unknown' }, ranges: (rangesOptions) => readForward(extent, rangesOptions) };
}

async function* readForward(extent: ForwardExtent, options: ExtentRangesOptions): AsyncGenerator<EncodedRange, void> {
  const { image, header, file, directoryOffset } = extent;
  const { signal, observe, ledger } = options;
  const stream = image.stream({ signal, observe: observe && ((offset, bytes) => observe(file, offset, bytes)) });
  await using reader = new ByteReader(stream, { name: image.name });
  if (directoryOffset === undefined) {
    await reader.skip(header.dataOffset);
    yield* readMarked(extent, reader, new TrailingTables(header, image.name), options);
  } else {
    const tables = await FrontTables.read(reader, header, directoryOffset, image.name);
    for (const table of tables.emptyTables) settleTable(extent, table, ledger);
    if (!header.isCompressed) yield* readByTables(extent, reader, tables, options);
    else {
      await reader.skip(header.dataOffset - reader.position);
      yield* readMarked(extent, reader, tables, options);
    }
  }
}

/** Walks from marker to marker up to the end of the stream. */
async function* readMarked(
  extent: ForwardExtent,
  reader: ByteReader,
  tables: ForwardTables,
  { ledger, wants }: ExtentRangesOptions,
): AsyncGenerator<EncodedRange, void> {
  const { name } = extent.image;
  const run = new ForwardRun(extent.file, ledger);
  let hasEndMarker = false;
  while (!hasEndMarker && !(await reader.isAtEnd())) {
    const fileOffset = reader.position;
    const sector = await reader.readExactly(SECTOR_BYTES);
    const marker = parseMarker(sector, name, fileOffset);
    if (marker.kind === 'metadata') {
      const table = await readMetadata(extent.header, marker, reader, tables, name);
      if (table !== undefined) settleTable(extent, table, ledger);
      hasEndMarker = marker.type === MarkerType.endOfStream;
      continue;
    }
    const piece = pieceOf(extent, marker, fileOffset);
    const complete = tables.see(Math.floor(marker.offset / extent.header.grainBytes), fileOffset / SECTOR_BYTES);
    if (isWanted(piece, wants)) {
      const before = run.makeRoom(piece);
      if (before) yield before;
      await run.add(piece, sector, reader);
    } else await reader.skip(Math.max(0, piece.fileBytes - SECTOR_BYTES));
    await reader.skipToMultipleOf(SECTOR_BYTES);
    if (complete !== undefined) settleTable(extent, complete, ledger);
  }
  const last = run.take();
  if (last) yield last;
  const end = reader.position;
  await requireOnlyZeroes(reader, name);
  tables.finish(hasEndMarker, end);
}

function pieceOf(extent: ForwardExtent, marker: Marker & { kind: 'grain' }, fileOffset: number): EncodedPiece {
  const { header, image, diskOffset, sizeBytes } = extent;
  const { offset, payloadBytes } = marker;
  // Both come from the file: bounded before allocating, or a crafted image exhausts memory.
  if (offset >= sizeBytes || offset % header.grainBytes !== 0) {
    throw corrupt(
      image.name,
      `has a grain for byte ${offset} of a disk of ${sizeBytes} bytes at file offset ${fileOffset}; grains have ${header.grainBytes} bytes`,
    );
  }
  if (payloadBytes > maxPayloadBytes(header)) {
    throw corrupt(
      image.name,
      `has a grain at file offset ${fileOffset} that claims ${payloadBytes} bytes; this image allows ${maxPayloadBytes(header)}`,
    );
  }
  const length = Math.min(header.grainBytes, sizeBytes - offset);
  return {
    offset: diskOffset + offset,
    length,
    fileOffset,
    fileBytes: MARKER_HEAD_BYTES + payloadBytes,
    encoding: 'vmdk-grain',
    ...(length < header.grainBytes && { unpackedBytes: header.grainBytes }),
  };
}

/** Reads what follows a metadata marker. Returns the index of a table that proved itself complete. */
async function readMetadata(
  header: SparseHeader,
  marker: Marker & { kind: 'metadata' },
  reader: ByteReader,
  tables: ForwardTables,
  name: string,
): Promise<number | undefined> {
  const { type, payloadBytes } = marker;
  const expected = {
    [MarkerType.endOfStream]: 0,
    [MarkerType.grainTable]: wholeSectors(header.tableBytes),
    [MarkerType.grainDirectory]: wholeSectors(header.tableCount * 4),
    [MarkerType.footer]: SECTOR_BYTES,
  }[type];
  if (payloadBytes !== expected) {
    throw corrupt(
      name,
      `has a marker of type ${type} with ${payloadBytes} bytes at byte ${reader.position - SECTOR_BYTES}`,
    );
  }
  if (type === MarkerType.grainTable) {
    const bytes = await reader.readExactly(payloadBytes);
    return tables.prove(parseEntries(bytes.subarray(0, header.tableBytes)));
  }
  if (type === MarkerType.footer) {
    const footer = parseSparseHeader(await reader.readExactly(payloadBytes), `the footer of ${name}`);
    requireSameDisk(header, footer, name);
  } else await reader.skip(payloadBytes); // the directory repeats where the tables were
  return undefined;
}

/** Without markers only the tables tell what passes, so it must pass in their order. */
async function* readByTables(
  extent: ForwardExtent,
  reader: ByteReader,
  tables: FrontTables,
  { ledger, wants }: ExtentRangesOptions,
): AsyncGenerator<EncodedRange, void> {
  const { header, image, diskOffset, sizeBytes } = extent;
  requireRising(extent, tables);
  const run = new ForwardRun(extent.file, ledger);
  for (const { grain, sector } of tables.grains()) {
    const inExtent = grain * header.grainBytes;
    const length = Math.min(header.grainBytes, sizeBytes - inExtent);
    const fileOffset = sector * SECTOR_BYTES;
    const piece = { offset: diskOffset + inExtent, length, fileOffset, fileBytes: length, encoding: 'plain' } as const;
    if (isWanted(piece, wants)) {
      const before = run.makeRoom(piece);
      if (before) yield before;
      await reader.skip(fileOffset - reader.position);
      await run.add(piece, new Uint8Array(0), reader);
    } else await reader.skip(fileOffset + length - reader.position);
    const complete = tables.see(grain, sector);
    if (complete !== undefined) settleTable(extent, complete, ledger);
  }
  const last = run.take();
  if (last) yield last;
  tables.finish(false, reader.position);
  await reader.drain();
  if (reader.position < header.dataOffset)
    throw corrupt(image.name, `ends at byte ${reader.position}, before its data`);
}

function requireRising({ header, image }: ForwardExtent, tables: FrontTables): void {
  let end = 0;
  for (const { grain, sector } of tables.grains()) {
    const start = sector * SECTOR_BYTES;
    if (start < end)
      throw rangesRequired(image.name, `has grain ${grain} at byte ${start}, before that of its predecessor`);
    end = start + header.grainBytes;
  }
}

/** After the end of the stream there is padding at most. Something else would be data that is not copied. Also shows the rest of the file to `observe`. */
async function requireOnlyZeroes(reader: ByteReader, name: string): Promise<void> {
  while (!(await reader.isAtEnd())) {
    const { position } = reader;
    const bytes = await reader.readSome(64 * 1024);
    const at = bytes.findIndex((byte) => byte !== 0);
    if (at >= 0) throw corrupt(name, `goes on after its end-of-stream marker, at byte ${position + at}`);
  }
}

function coverageOf(
  { header, diskOffset, sizeBytes }: ForwardExtent,
  table: number,
): { offset: number; length: number } {
  const covered = header.grainBytes * header.entriesPerTable;
  return {
    offset: diskOffset + table * covered,
    length: Math.min(covered, sizeBytes - table * covered),
  };
}

function settleTable(extent: ForwardExtent, table: number, ledger: LeafLedger): void {
  const { offset, length } = coverageOf(extent, table);
  if (length > 0) ledger.settle(offset, length);
}

function wholeSectors(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}
