import { deflateSync } from 'node:zlib';
import { MARKER_HEAD_BYTES, MarkerType, SECTOR_BYTES } from './layout.ts';

export interface StreamOptimizedOptions {
  /** A multiple of 512. */
  readonly virtualSizeBytes: number;
  /** Grains of STREAM_GRAIN_BYTES by rising offset; the last one may be cut at the end of the disk. What is left out reads as zeroes. */
  readonly grains: AsyncIterable<StreamGrain> | Iterable<StreamGrain>;
  /** Name that the descriptor gives the file. */
  readonly fileName?: string;
  /** Eight hex digits that stand for this content; VMware chooses them at random. */
  readonly cid?: string;
  /** zlib level. */
  readonly level?: number;
  /** `end` as VMware exports, `front` as qemu-img and VMware's open tools write. The latter keeps all compressed grains in memory. */
  readonly tables?: 'end' | 'front';
}

export interface StreamGrain {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export const STREAM_GRAIN_BYTES = 64 * 1024;

const GRAIN_SECTORS = STREAM_GRAIN_BYTES / SECTOR_BYTES;
const TABLE_ENTRIES = 512;
const TABLE_SECTORS = (TABLE_ENTRIES * 4) / SECTOR_BYTES;
const DESCRIPTOR_SECTORS = 20;
const END_LAYOUT_OVERHEAD = 128;
/** Newline test, compressed grains, markers. */
const FLAGS = 0x3_0001;

/**
 * Writes a streamOptimized VMDK as VMware exports it: header, descriptor, grains behind markers, each table after its grains, then directory, footer and
 * end-of-stream marker. Yields the file's bytes in order; pulls a grain when its bytes are wanted. Memory: one grain and one table.
 */
export async function* writeStreamOptimized(options: StreamOptimizedOptions): AsyncGenerator<Uint8Array, void> {
  const { virtualSizeBytes } = options;
  if (virtualSizeBytes <= 0 || virtualSizeBytes % SECTOR_BYTES !== 0) {
    throw new RangeError(`a VMDK has whole sectors, not ${virtualSizeBytes} bytes`);
  }
  if (options.tables === 'front') yield* writeFrontLayout(options);
  else yield* writeEndLayout(options);
}

async function* writeEndLayout(options: StreamOptimizedOptions): AsyncGenerator<Uint8Array, void> {
  const directory = new Uint32Array(tableCountOf(options));
  let sector = END_LAYOUT_OVERHEAD;
  let table: { readonly index: number; readonly entries: Uint32Array } | undefined;
  const endTable = function* ({ index, entries }: NonNullable<typeof table>): Generator<Uint8Array, void> {
    yield marker(MarkerType.grainTable, TABLE_SECTORS);
    yield sectorsOf(entries);
    directory[index] = sector + 1;
    sector += 1 + TABLE_SECTORS;
  };

  yield headOf(options, { overhead: END_LAYOUT_OVERHEAD, directorySector: 'atEnd' });
  for await (const { grain, bytes } of encodedGrains(options)) {
    const index = Math.floor(grain / TABLE_ENTRIES);
    if (table && table.index !== index) {
      yield* endTable(table);
      table = undefined;
    }
    table ??= { index, entries: new Uint32Array(TABLE_ENTRIES) };
    table.entries[grain % TABLE_ENTRIES] = sector;
    sector += bytes.length / SECTOR_BYTES;
    yield bytes;
  }
  if (table) yield* endTable(table);

  const directoryBytes = sectorsOf(directory);
  yield marker(MarkerType.grainDirectory, directoryBytes.length / SECTOR_BYTES);
  yield directoryBytes;
  yield marker(MarkerType.footer, 1);
  yield header(options, { overhead: END_LAYOUT_OVERHEAD, directorySector: sector + 1 });
  yield marker(MarkerType.endOfStream, 0);
}

async function* writeFrontLayout(options: StreamOptimizedOptions): AsyncGenerator<Uint8Array, void> {
  const tableCount = tableCountOf(options);
  const directorySector = 1 + DESCRIPTOR_SECTORS;
  const firstTable = directorySector + Math.ceil((tableCount * 4) / SECTOR_BYTES);
  const overhead = firstTable + tableCount * TABLE_SECTORS;
  const entries = new Uint32Array(tableCount * TABLE_ENTRIES);
  const grains: Uint8Array[] = [];
  let sector = overhead;
  for await (const { grain, bytes } of encodedGrains(options)) {
    entries[grain] = sector;
    sector += bytes.length / SECTOR_BYTES;
    grains.push(bytes);
  }
  yield headOf(options, { overhead: directorySector, directorySector, dataSector: overhead });
  yield sectorsOf(Uint32Array.from({ length: tableCount }, (_, index) => firstTable + index * TABLE_SECTORS));
  yield sectorsOf(entries);
  yield* grains;
  yield marker(MarkerType.endOfStream, 0);
}

async function* encodedGrains({ grains, virtualSizeBytes, level = 6 }: StreamOptimizedOptions) {
  let next = 0;
  for await (const { offset, bytes } of grains) {
    const grain = offset / STREAM_GRAIN_BYTES;
    const needed = Math.min(STREAM_GRAIN_BYTES, virtualSizeBytes - offset);
    if (!Number.isInteger(grain) || grain < next || needed <= 0 || bytes.length !== needed) {
      throw new RangeError(`grain of ${bytes.length} bytes at ${offset} is out of place`);
    }
    next = grain + 1;
    yield { grain, bytes: encodeGrain(grain, bytes, level) };
  }
}

/** The last grain of a disk is filled up with zeroes, as VMware does. */
function encodeGrain(grain: number, bytes: Uint8Array, level: number): Uint8Array {
  const whole = new Uint8Array(STREAM_GRAIN_BYTES);
  whole.set(bytes);
  const payload = deflateSync(whole, { level });
  const encoded = new Uint8Array(Math.ceil((MARKER_HEAD_BYTES + payload.length) / SECTOR_BYTES) * SECTOR_BYTES);
  const view = new DataView(encoded.buffer);
  view.setBigUint64(0, BigInt(grain * GRAIN_SECTORS), true);
  view.setUint32(8, payload.length, true);
  encoded.set(payload, MARKER_HEAD_BYTES);
  return encoded;
}

interface HeaderPlaces {
  /** Sectors up to the end of what `headOf` writes. */
  readonly overhead: number;
  readonly directorySector: number | 'atEnd';
  /** Where the data begins, when that is later. */
  readonly dataSector?: number;
}

/** Header, descriptor and padding. */
function headOf(options: StreamOptimizedOptions, places: HeaderPlaces): Uint8Array {
  const head = new Uint8Array(places.overhead * SECTOR_BYTES);
  head.set(header(options, places));
  const text = new TextEncoder().encode(descriptorOf(options));
  if (text.length > DESCRIPTOR_SECTORS * SECTOR_BYTES) throw new RangeError('the descriptor is too long');
  head.set(text, SECTOR_BYTES);
  return head;
}

function header({ virtualSizeBytes }: StreamOptimizedOptions, places: HeaderPlaces): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set([0x4b, 0x44, 0x4d, 0x56]);
  view.setUint32(4, 3, true);
  view.setUint32(8, FLAGS, true);
  view.setBigUint64(12, BigInt(virtualSizeBytes / SECTOR_BYTES), true);
  view.setBigUint64(20, BigInt(GRAIN_SECTORS), true);
  view.setBigUint64(28, 1n, true);
  view.setBigUint64(36, BigInt(DESCRIPTOR_SECTORS), true);
  view.setUint32(44, TABLE_ENTRIES, true);
  view.setBigUint64(56, places.directorySector === 'atEnd' ? 2n ** 64n - 1n : BigInt(places.directorySector), true);
  view.setBigUint64(64, BigInt(places.dataSector ?? places.overhead), true);
  bytes.set([0x0a, 0x20, 0x0d, 0x0a], 73);
  view.setUint16(77, 1, true);
  return bytes;
}

/** Geometry as VMware computes it for disks beyond 4 GiB; guests of this century ignore it. */
function descriptorOf({ virtualSizeBytes, fileName = 'disk.vmdk', cid = 'fffffffe' }: StreamOptimizedOptions): string {
  const sectors = virtualSizeBytes / SECTOR_BYTES;
  return [
    '# Disk DescriptorFile',
    'version=1',
    `CID=${cid}`,
    'parentCID=ffffffff',
    'createType="streamOptimized"',
    '',
    '# Extent description',
    `RW ${sectors} SPARSE "${fileName}"`,
    '',
    '# The Disk Data Base',
    '#DDB',
    'ddb.virtualHWVersion = "4"',
    `ddb.geometry.cylinders = "${Math.min(65_535, Math.ceil(sectors / (255 * 63)))}"`,
    'ddb.geometry.heads = "255"',
    'ddb.geometry.sectors = "63"',
    'ddb.adapterType = "lsilogic"',
    '',
  ].join('\n');
}

function marker(type: number, sectors: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(sectors), true);
  view.setUint32(12, type, true);
  return bytes;
}

function sectorsOf(entries: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((entries.length * 4) / SECTOR_BYTES) * SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, entry] of entries.entries()) view.setUint32(index * 4, entry, true);
  return bytes;
}

function tableCountOf({ virtualSizeBytes }: StreamOptimizedOptions): number {
  return Math.ceil(virtualSizeBytes / (STREAM_GRAIN_BYTES * TABLE_ENTRIES));
}
