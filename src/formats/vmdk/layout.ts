import { MAX_VIRTUAL_SIZE_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';
import { formatBytes } from '../../lib/format-units.ts';

// Sources: VMware's "Virtual Disk Format 5.0" technical note, and what qemu-img and VMware's exports were seen to write.

export const SECTOR_BYTES = 512;
export const MARKER_HEAD_BYTES = 12;
/** VMware's and qemu's limit; no real writer uses more. */
export const MAX_DESCRIPTOR_BYTES = 1024 * 1024;
/** Table entries 0 and 1 are no sectors: 0 says "not there", 1 "reads as zeroes" where the header allows it. */
export const ENTRY_ZEROED = 1;

const KNOWN_VERSIONS = [1, 2, 3];
const MIN_GRAIN_SECTORS = 8;
const MAX_GRAIN_SECTORS = 8192;
const MIN_TABLE_ENTRIES = 128;
const MAX_TABLE_ENTRIES = 4096;
const COMPRESSION_NONE = 0;
const COMPRESSION_DEFLATE = 1;
const GD_AT_END = 0xffff_ffff_ffff_ffffn;
const FLAG_NEWLINE_TEST = 1;
const FLAG_ZEROED_GRAINS = 1 << 2;
const FLAG_COMPRESSED = 1 << 16;
const FLAG_MARKERS = 1 << 17;
const NEWLINE_TEST = [0x0a, 0x20, 0x0d, 0x0a];

/** Header of a sparse extent, every field checked. Offsets and sizes in bytes. */
export interface SparseHeader {
  readonly version: number;
  readonly capacityBytes: number;
  readonly grainBytes: number;
  readonly entriesPerTable: number;
  /** Size of a grain table in the file. */
  readonly tableBytes: number;
  readonly tableCount: number;
  readonly descriptorOffset: number;
  readonly descriptorBytes: number;
  /** `atEnd`: the footer tells. */
  readonly directoryOffset: number | 'atEnd';
  /** First byte that may belong to a grain. */
  readonly dataOffset: number;
  readonly hasZeroedGrains: boolean;
  /** Grains are zlib streams behind a marker that repeats their address. */
  readonly isCompressed: boolean;
}

export type VmdkKind = 'sparse' | 'descriptor' | 'cowd' | 'seSparse';

/** Which member of the VMDK family a file is, judged by its first bytes. */
export function vmdkKind(head: Uint8Array): VmdkKind | undefined {
  if (startsWith(head, [0x4b, 0x44, 0x4d, 0x56])) return 'sparse';
  // A COWD header goes on with version 1, a seSparse header with version 0x0000000200000001.
  if (startsWith(head, [0x43, 0x4f, 0x57, 0x44, 1, 0, 0, 0])) return 'cowd';
  if (startsWith(head, [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])) return 'seSparse';
  const text = new TextDecoder('latin1').decode(head.subarray(0, 256));
  return /^(?:\u00ef\u00bb\u00bf)?\s*#\s*Disk\s*DescriptorFile/i.test(text) ? 'descriptor' : undefined;
}

export function isVmdk(head: Uint8Array): boolean {
  return vmdkKind(head) !== undefined;
}

/**
 * @param bytes at least a sector
 * @param name of the file, for messages
 * @throws ProblemError `DiskImageTruncated`, `DiskImageCorrupt`, `DiskTooLarge`, `DiskFormatUnsupported`, `DiskCompressionUnsupported`
 */
export function parseSparseHeader(bytes: Uint8Array, name: string): SparseHeader {
  if (bytes.length < SECTOR_BYTES) {
    throw new ProblemError('DiskImageTruncated', `${name} has ${bytes.length} bytes; a VMDK header alone has 512`);
  }
  if (!startsWith(bytes, [0x4b, 0x44, 0x4d, 0x56])) throw corrupt(name, 'has no VMDK header where one is expected');
  const view = viewOf(bytes);
  const version = view.getUint32(4, true);
  if (!KNOWN_VERSIONS.includes(version)) {
    throw new ProblemError('DiskFormatUnsupported', `${name} is a VMDK of version ${version}; 1 to 3 are known`);
  }
  const flags = view.getUint32(8, true);
  if (flags & FLAG_NEWLINE_TEST && !NEWLINE_TEST.every((byte, index) => bytes[73 + index] === byte)) {
    throw corrupt(name, 'was changed by a transfer in text mode: its newline test bytes differ');
  }

  const capacityBytes = capacityFrom(view.getBigUint64(12, true), name);
  const grainSectors = sectorsFrom(view, 20, 'grain size', name) / SECTOR_BYTES;
  if (!isPowerOfTwo(grainSectors) || grainSectors < MIN_GRAIN_SECTORS || grainSectors > MAX_GRAIN_SECTORS) {
    throw corrupt(name, `claims grains of ${grainSectors} sectors; powers of two from 8 to 8192 are allowed`);
  }
  const entriesPerTable = view.getUint32(44, true);
  if (!isPowerOfTwo(entriesPerTable) || entriesPerTable < MIN_TABLE_ENTRIES || entriesPerTable > MAX_TABLE_ENTRIES) {
    throw corrupt(
      name,
      `claims ${entriesPerTable} entries in a grain table; powers of two from 128 to 4096 are allowed`,
    );
  }
  const descriptorOffset = sectorsFrom(view, 28, 'descriptor offset', name);
  const descriptorBytes = sectorsFrom(view, 36, 'descriptor size', name);
  if (descriptorOffset > 0 && descriptorBytes > MAX_DESCRIPTOR_BYTES) {
    throw corrupt(name, `claims a descriptor of ${formatBytes(descriptorBytes)}; 1 MiB is allowed`);
  }
  const directoryOffset =
    view.getBigUint64(56, true) === GD_AT_END ? 'atEnd' : sectorsFrom(view, 56, 'grain directory offset', name);
  if (directoryOffset === 0) throw corrupt(name, 'has no grain directory');

  const grainBytes = grainSectors * SECTOR_BYTES;
  return {
    version,
    capacityBytes,
    grainBytes,
    entriesPerTable,
    tableBytes: entriesPerTable * 4,
    tableCount: Math.ceil(capacityBytes / (grainBytes * entriesPerTable)),
    descriptorOffset,
    descriptorBytes: descriptorOffset === 0 ? 0 : descriptorBytes,
    directoryOffset,
    dataOffset: Math.max(SECTOR_BYTES, sectorsFrom(view, 64, 'overhead', name)),
    hasZeroedGrains: (flags & FLAG_ZEROED_GRAINS) !== 0,
    isCompressed: isCompressed(flags, view.getUint16(77, true), name),
  };
}

function isCompressed(flags: number, algorithm: number, name: string): boolean {
  const compressed = (flags & FLAG_COMPRESSED) !== 0;
  const markers = (flags & FLAG_MARKERS) !== 0;
  if (!compressed) {
    if (algorithm !== COMPRESSION_NONE) throw corrupt(name, `names compression ${algorithm} but says it is not used`);
    if (markers) throw corrupt(name, 'says that grains are uncompressed and have markers, which exclude each other');
    return false;
  }
  if (algorithm !== COMPRESSION_DEFLATE) {
    throw new ProblemError('DiskCompressionUnsupported', `${name} is compressed by method ${algorithm}; 1 is known`);
  }
  // What stands before such data is told differently by VMware's tools (a length) and qemu (nothing), and nobody is known to write it.
  if (!markers) throw new ProblemError('DiskFormatUnsupported', `${name} has compressed grains without markers`);
  return true;
}

export const MarkerType = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;

export type Marker =
  /** `payloadBytes` of zlib data follow at once; `offset` is the grain's address in the extent. */
  | { readonly kind: 'grain'; readonly offset: number; readonly payloadBytes: number }
  /** `payloadBytes` follow in the next sector. */
  | { readonly kind: 'metadata'; readonly type: number; readonly payloadBytes: number };

/**
 * @param bytes a sector that begins with a marker
 * @throws ProblemError `DiskImageCorrupt` for numbers that no real image has
 */
export function parseMarker(bytes: Uint8Array, name: string, fileOffset: number): Marker {
  const view = viewOf(bytes);
  const size = view.getUint32(8, true);
  const value = view.getBigUint64(0, true);
  // 2^43 sectors are beyond any file or disk; multiplied by 512 they are still exact.
  if (value >= 1n << 43n) throw corrupt(name, `has a marker with the number ${value} at byte ${fileOffset}`);
  const bytesOf = Number(value) * SECTOR_BYTES;
  if (size > 0) return { kind: 'grain', offset: bytesOf, payloadBytes: size };
  return { kind: 'metadata', type: view.getUint32(12, true), payloadBytes: bytesOf };
}

/** Most bytes that a grain's zlib stream has: more is corruption, since storing it uncompressed would take half of it. */
export function maxPayloadBytes(header: SparseHeader): number {
  return 2 * header.grainBytes;
}

/** Decodes a grain table or a piece of a grain directory, whatever the alignment of `bytes`. */
export function parseEntries(bytes: Uint8Array): Uint32Array {
  const view = viewOf(bytes);
  const entries = new Uint32Array(bytes.length >>> 2);
  for (let index = 0; index < entries.length; index += 1) entries[index] = view.getUint32(index * 4, true);
  return entries;
}

/**
 * True when a grain table's entry names a grain, false when the grain reads as zeroes.
 * @throws ProblemError `DiskImageCorrupt` for an entry that marks zeroes in an image that has no such marks
 */
export function namesGrain(entry: number, grain: number, header: SparseHeader, name: string): boolean {
  if (entry === ENTRY_ZEROED && !header.hasZeroedGrains) {
    throw corrupt(name, `marks grain ${grain} as zeroed, which its header rules out`);
  }
  return entry > ENTRY_ZEROED;
}

/** Capacity in bytes of a number of sectors from outside. */
export function capacityFrom(sectors: bigint, name: string): number {
  if (sectors === 0n) throw corrupt(name, 'claims a capacity of 0 sectors');
  if (sectors > BigInt(MAX_VIRTUAL_SIZE_BYTES / SECTOR_BYTES)) {
    throw new ProblemError('DiskTooLarge', `${name} claims a capacity of ${sectors} sectors; the limit is 64 TiB`);
  }
  return Number(sectors) * SECTOR_BYTES;
}

function sectorsFrom(view: DataView, at: number, field: string, name: string): number {
  const sectors = view.getBigUint64(at, true);
  if (sectors >= 1n << 43n) throw corrupt(name, `claims ${sectors} sectors as ${field}`);
  return Number(sectors) * SECTOR_BYTES;
}

export function corrupt(name: string, what: string): ProblemError {
  return new ProblemError('DiskImageCorrupt', `${name} ${what}`);
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return bytes.length >= prefix.length && prefix.every((byte, index) => bytes[index] === byte);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
