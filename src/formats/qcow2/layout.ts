import { MAX_VIRTUAL_SIZE_BYTES } from '../../domain/digest-layout.ts';
import { ProblemError } from '../../domain/problems.ts';

/*
 * qcow2 as QEMU's docs/interop/qcow2.txt describes it. All numbers are big-endian. "Host" offsets count in the image file, guest offsets in the virtual disk.
 */

export const QCOW2_MAGIC = 0x5146_49fb;
/** Fixed part of a version 2 header; version 3 has at least 104 bytes. */
const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
/** QEMU refuses larger L1 tables too (QCOW_MAX_L1_SIZE), which bounds disks of tiny clusters. */
const MAX_L1_BYTES = 32 * 1024 * 1024;
const SUBCLUSTERS = 32;

const INCOMPATIBLE = { dirty: 1, corrupt: 2, externalData: 4, compressionType: 8, extendedL2: 16 } as const;
const EXTENSION = { end: 0, encryption: 0x0537_be77 } as const;

/** What a reader has to know of a header. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly virtualSizeBytes: number;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  /** Entries of the L1 table that the disk's size needs; more may be there. */
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly compression: 'deflate' | 'zstd';
  /** L2 entries of 16 bytes, whose second half is a bitmap of 32 subclusters. */
  readonly isExtendedL2: boolean;
  readonly l2EntryBytes: 8 | 16;
  readonly entriesPerL2: number;
  /** Part of the disk that one L2 table maps. */
  readonly bytesPerL2: number;
}

export function isQcow2(head: Uint8Array): boolean {
  return head.length >= 4 && viewOf(head).getUint32(0) === QCOW2_MAGIC;
}

/**
 * Reads the header from the first bytes of the file, HEAD_BYTES or all there are.
 * @throws ProblemError for whatever this reader must not or cannot read
 */
export function parseQcow2Header(bytes: Uint8Array, name: string): Qcow2Header {
  const fail = (what: string) => new ProblemError('DiskImageCorrupt', `qcow2 header of ${name}: ${what}`);
  const unsupported = (what: string) => new ProblemError('DiskFormatUnsupported', `${name}: ${what}`);
  if (!isQcow2(bytes)) throw fail('does not begin with the qcow2 magic');
  if (bytes.length < V2_HEADER_BYTES) throw truncated(name, bytes.length, V2_HEADER_BYTES);
  const view = viewOf(bytes);
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) throw unsupported(`qcow version ${version}`);
  if (version === 3 && bytes.length < V3_HEADER_BYTES) throw truncated(name, bytes.length, V3_HEADER_BYTES);

  const clusterBits = view.getUint32(20);
  if (clusterBits < 9 || clusterBits > 21) throw fail(`cluster_bits is ${clusterBits}; 9 to 21 are allowed`);
  const clusterBytes = 2 ** clusterBits;
  if (view.getUint32(32) !== 0) throw encrypted(name, `crypt_method ${view.getUint32(32)}`);
  refuseParent(view, bytes, name);

  const features = version === 3 ? parseFeatures(view, bytes, name) : V2_FEATURES;
  refuseExtensions(view, features.headerBytes, clusterBytes, name);
  if (features.isExtendedL2 && clusterBits < 14) throw fail(`clusters of ${clusterBytes} bytes have no subclusters`);

  const virtualSizeBytes = readUint64(view, 24);
  if (virtualSizeBytes > MAX_VIRTUAL_SIZE_BYTES) {
    throw new ProblemError('DiskTooLarge', `${name} claims a virtual size of ${virtualSizeBytes} bytes`);
  }
  const l2EntryBytes = features.isExtendedL2 ? 16 : 8;
  const entriesPerL2 = clusterBytes / l2EntryBytes;
  const bytesPerL2 = entriesPerL2 * clusterBytes;
  const l1Entries = Math.ceil(virtualSizeBytes / bytesPerL2);
  const l1Claimed = view.getUint32(36);
  if (l1Entries * 8 > MAX_L1_BYTES) {
    throw unsupported(`${virtualSizeBytes} bytes in clusters of ${clusterBytes} need ${l1Entries} L1 entries`);
  }
  if (l1Claimed < l1Entries) throw fail(`l1_size is ${l1Claimed}; the virtual size needs ${l1Entries}`);
  const l1Offset = readUint64(view, 40);
  if (l1Entries > 0 && (l1Offset === 0 || l1Offset % clusterBytes !== 0)) {
    throw fail(`l1_table_offset ${l1Offset} is not a multiple of ${clusterBytes} behind the header`);
  }
  return {
    version,
    virtualSizeBytes,
    clusterBits,
    clusterBytes,
    l1Entries,
    l1Offset,
    compression: features.compression,
    isExtendedL2: features.isExtendedL2,
    l2EntryBytes,
    entriesPerL2,
    bytesPerL2,
  };
}

interface Features {
  readonly headerBytes: number;
  readonly compression: 'deflate' | 'zstd';
  readonly isExtendedL2: boolean;
}

const V2_FEATURES: Features = { headerBytes: V2_HEADER_BYTES, compression: 'deflate', isExtendedL2: false };

function parseFeatures(view: DataView, bytes: Uint8Array, name: string): Features {
  const high = view.getUint32(72);
  const low = view.getUint32(76);
  const known = Object.values(INCOMPATIBLE).reduce((all: number, bit) => all | bit, 0);
  if (high !== 0 || (low & ~known) !== 0) {
    const bits = [...Array(64).keys()].filter((bit) => (bit < 32 ? (low & ~known) >>> bit : high >>> (bit - 32)) & 1);
    throw new ProblemError('DiskFormatUnsupported', `${name} needs unknown qcow2 features (bits ${bits.join(', ')})`);
  }
  if (low & INCOMPATIBLE.corrupt) {
    throw new ProblemError(
      'DiskImageCorrupt',
      `${name} was marked corrupt by QEMU; \`qemu-img check -r\` may repair it`,
    );
  }
  if (low & INCOMPATIBLE.externalData) {
    throw new ProblemError('DiskFormatUnsupported', `${name} keeps its data in another file (data_file)`);
  }
  // The dirty bit only says that refcounts may be wrong. Reading needs none.
  const headerBytes = view.getUint32(100);
  if (headerBytes < V3_HEADER_BYTES || headerBytes > bytes.length || headerBytes % 8 !== 0) {
    throw new ProblemError('DiskImageCorrupt', `qcow2 header of ${name}: header_length is ${headerBytes}`);
  }
  const type = headerBytes > V3_HEADER_BYTES ? view.getUint8(104) : 0;
  if (type > 1) throw new ProblemError('DiskCompressionUnsupported', `${name} has qcow2 compression_type ${type}`);
  if ((type !== 0) !== ((low & INCOMPATIBLE.compressionType) !== 0)) {
    throw new ProblemError(
      'DiskImageCorrupt',
      `qcow2 header of ${name}: compression_type ${type} and its feature bit disagree`,
    );
  }
  return {
    headerBytes,
    compression: type === 1 ? 'zstd' : 'deflate',
    isExtendedL2: (low & INCOMPATIBLE.extendedL2) !== 0,
  };
}

function refuseParent(view: DataView, bytes: Uint8Array, name: string): void {
  const offset = readUint64(view, 8);
  const length = view.getUint32(16);
  if (offset === 0 || length === 0) return;
  const isReadable = length <= 1023 && offset + length <= bytes.length;
  const parent = isReadable ? Buffer.from(bytes.subarray(offset, offset + length)).toString('utf8') : '';
  throw new ProblemError('DiskHasParent', `${name} has the backing file ${JSON.stringify(parent)}`);
}

/** Walks the header extensions up to their end mark. Their content does not matter for reading, but for the one that says "encrypted". */
function refuseExtensions(view: DataView, from: number, end: number, name: string): void {
  let at = from;
  while (at + 8 <= Math.min(end, view.byteLength)) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === EXTENSION.end) return;
    if (type === EXTENSION.encryption) throw encrypted(name, 'LUKS header');
    if (length > end - at - 8) {
      throw new ProblemError('DiskImageCorrupt', `qcow2 header of ${name}: extension at ${at} claims ${length} bytes`);
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
}

/** The L2 table that an L1 entry points to; 0 for none. */
export function parseL1Entry(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at);
  const low = view.getUint32(at + 4);
  // Bits 0-8 and 56-62 are reserved; bit 63 tells that the table's refcount is one.
  if ((high & 0x7f00_0000) !== 0 || (low & 0x1ff) !== 0) return undefined;
  return (high & 0x00ff_ffff) * 2 ** 32 + low;
}
export type L2Entry =
  | { readonly kind: 'hole' }
  /** `host` is 0 where zeroes have no cluster behind them. */
  | { readonly kind: 'zero'; readonly host: number }
  | { readonly kind: 'plain'; readonly host: number }
  | { readonly kind: 'compressed'; readonly host: number; readonly hostBytes: number };

const HOLE: L2Entry = { kind: 'hole' };
const COMPRESSED_BIT = 0x4000_0000;
/** Bits 56-61 of a standard entry. */
const RESERVED_HIGH = 0x3f00_0000;

/** The first eight bytes of an L2 entry. Undefined: reserved bits are set, or a cluster is not aligned. */
export function parseL2Entry(header: Qcow2Header, high: number, low: number): L2Entry | undefined {
  if (high === 0 && low === 0) return HOLE;
  if (high & COMPRESSED_BIT) return parseCompressedEntry(header, high, low);
  // Bit 0 says "reads as zeroes" in version 3; extended entries say so in their bitmap.
  const reservedLow = header.version === 3 && !header.isExtendedL2 ? 0x1fe : 0x1ff;
  if ((high & RESERVED_HIGH) !== 0 || (low & reservedLow) !== 0) return undefined;
  const isZero = (low & 1) !== 0;
  const host = (high & 0x00ff_ffff) * 2 ** 32 + (low - (low & 1));
  if (host % header.clusterBytes !== 0) return undefined;
  if (isZero) return { kind: 'zero', host };
  return host === 0 ? HOLE : { kind: 'plain', host };
}

/** "Compressed Clusters Descriptor": x = 62 - (cluster_bits - 8) bits of host offset, above them the number of further 512-byte sectors. */
function parseCompressedEntry(header: Qcow2Header, high: number, low: number): L2Entry {
  const offsetHighBits = 62 - (header.clusterBits - 8) - 32;
  const fields = high & 0x3fff_ffff;
  const sectors = (fields >>> offsetHighBits) + 1;
  const host = (fields & (2 ** offsetHighBits - 1)) * 2 ** 32 + low;
  return { kind: 'compressed', host, hostBytes: sectors * 512 - (host % 512) };
}

/** Runs of allocated subclusters in an extended entry's bitmap: bits 0-31 say "allocated", 32-63 "reads as zeroes". Undefined: some are both. */
export function allocatedSubclusters(
  zeroBits: number,
  allocatedBits: number,
): { first: number; count: number }[] | undefined {
  if ((zeroBits & allocatedBits) !== 0) return undefined;
  const runs: { first: number; count: number }[] = [];
  for (let index = 0; index < SUBCLUSTERS; index += 1) {
    if (((allocatedBits >>> index) & 1) === 0) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.count === index) last.count += 1;
    else runs.push({ first: index, count: 1 });
  }
  return runs;
}

export function subclusterBytes(header: Qcow2Header): number {
  return header.clusterBytes / SUBCLUSTERS;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Exact up to 2^53; larger values come out rounded, but still larger than any size they are compared with. */
function readUint64(view: DataView, at: number): number {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

function truncated(name: string, has: number, needs: number): ProblemError {
  return new ProblemError('DiskImageTruncated', `${name} has ${has} bytes; its qcow2 header needs ${needs}`);
}

function encrypted(name: string, how: string): ProblemError {
  return new ProblemError('DiskEncrypted', `${name} is an encrypted qcow2 (${how})`);
}
