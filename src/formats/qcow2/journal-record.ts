import { crc32 } from 'node:zlib';
import { BLOCKS_PER_LEAF } from '../../domain/digest-layout.ts';
import { CLUSTER_BYTES, type ClusterMap, type Place, SECTORS_PER_CLUSTER } from './cluster-map.ts';

/*
 * The journal beside a qcow2 that is being written (little-endian):
 *
 *   header   magic "AIRLQCJ1", u32 format version, u32 compression, u64 virtual size, u32 cluster bytes, u32 crc of the 28 bytes before
 *   record   u32 payload bytes, u32 crc of these 4 bytes and the payload, seeded with the crc of the record before (the first one: of the header)
 *   payload  u8 kind, u8 digest bytes, u32 first leaf, u32 leaf count, digest
 *            and for kind 1 (one leaf with data): u64 bitmap of its clusters, then runs that together are as many clusters as the bitmap has bits:
 *            u8 clusters, u48 position in sectors, u8 packed sectors (0: stored as they are, one cluster behind the other)
 *
 * Chained checksums make a record valid only behind those it was written behind, so that nothing left over from a torn or repeated append counts.
 */

const MAGIC = Buffer.from('AIRLQCJ1');
const FORMAT_VERSION = 1;
export const JOURNAL_HEADER_BYTES = 32;
export const RECORD_HEAD_BYTES = 8;
const FIXED_BYTES = 10;
const BITMAP_BYTES = 8;
const RUN_BYTES = 8;
const MAX_DIGEST_BYTES = 64;
export const MAX_PAYLOAD_BYTES = FIXED_BYTES + MAX_DIGEST_BYTES + BITMAP_BYTES + BLOCKS_PER_LEAF * RUN_BYTES;
const KIND = { data: 1, holes: 2 } as const;

export type Compression = 'none' | 'zstd';

export interface JournalHeader {
  readonly virtualSizeBytes: number;
  readonly compression: Compression;
}

/** Leaves of a digest; with `places` it is one leaf with data, without it they are all holes. */
export interface LeafRecord {
  readonly first: number;
  readonly count: number;
  readonly digest: Uint8Array;
  readonly places?: readonly (Place | undefined)[];
}

export function encodeJournalHeader({ virtualSizeBytes, compression }: JournalHeader): Buffer {
  const bytes = Buffer.alloc(JOURNAL_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeUInt32LE(compression === 'zstd' ? 1 : 0, 12);
  bytes.writeBigUInt64LE(BigInt(virtualSizeBytes), 16);
  bytes.writeUInt32LE(CLUSTER_BYTES, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** True for any header that was written whole, whatever it says. */
export function isWholeJournalHeader(bytes: Buffer): boolean {
  if (bytes.length < JOURNAL_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return false;
  return bytes.readUInt32LE(28) === crc32(bytes.subarray(0, 28));
}

/** Records of leaves `first` to `first + count` as the map has them now; neighbouring holes in one. */
export function* recordsOf(
  map: ClusterMap,
  { first, count, digest }: { first: number; count: number; digest: Uint8Array },
): Generator<LeafRecord, void> {
  let holes = 0;
  for (let leaf = first; leaf < first + count; leaf += 1) {
    if (map.isHoleLeaf(leaf)) {
      holes += 1;
      continue;
    }
    if (holes > 0) yield { first: leaf - holes, count: holes, digest };
    holes = 0;
    const places = Array.from({ length: BLOCKS_PER_LEAF }, (_, index) => map.get(leaf * BLOCKS_PER_LEAF + index));
    yield { first: leaf, count: 1, digest, places };
  }
  if (holes > 0) yield { first: first + count - holes, count: holes, digest };
}

export function encodePayload({ first, count, digest, places }: LeafRecord): Buffer {
  const runs = places === undefined ? [] : runsOf(places);
  const bytes = Buffer.alloc(FIXED_BYTES + digest.length + (places ? BITMAP_BYTES + runs.length * RUN_BYTES : 0));
  bytes.writeUInt8(places ? KIND.data : KIND.holes, 0);
  bytes.writeUInt8(digest.length, 1);
  bytes.writeUInt32LE(first, 2);
  bytes.writeUInt32LE(count, 6);
  bytes.set(digest, FIXED_BYTES);
  let at = FIXED_BYTES + digest.length;
  for (const [index, place] of (places ?? []).entries()) {
    if (place !== undefined) bytes[at + (index >>> 3)] = (bytes[at + (index >>> 3)] ?? 0) | (1 << (index & 7));
  }
  at += BITMAP_BYTES;
  for (const run of runs) {
    bytes.writeUInt8(run.clusters, at);
    bytes.writeUIntLE(run.position, at + 1, 6);
    bytes.writeUInt8(run.packedSectors, at + 7);
    at += RUN_BYTES;
  }
  return bytes;
}

/** Undefined when the payload is none that `encodePayload` makes. */
export function decodePayload(bytes: Buffer): LeafRecord | undefined {
  if (bytes.length < FIXED_BYTES) return undefined;
  const kind = bytes.readUInt8(0);
  const digestBytes = bytes.readUInt8(1);
  const first = bytes.readUInt32LE(2);
  const count = bytes.readUInt32LE(6);
  let at = FIXED_BYTES + digestBytes;
  if (digestBytes > MAX_DIGEST_BYTES || at > bytes.length || count === 0) return undefined;
  const digest = Uint8Array.from(bytes.subarray(FIXED_BYTES, at));
  if (kind === KIND.holes) return at === bytes.length ? { first, count, digest } : undefined;
  if (kind !== KIND.data || count !== 1 || at + BITMAP_BYTES > bytes.length) return undefined;

  const bitmap = bytes.subarray(at, at + BITMAP_BYTES);
  at += BITMAP_BYTES;
  const places: (Place | undefined)[] = [];
  let run: Run | undefined;
  let used = 0;
  for (let index = 0; index < BLOCKS_PER_LEAF; index += 1) {
    if ((((bitmap[index >>> 3] ?? 0) >>> (index & 7)) & 1) === 0) {
      places.push(undefined);
      continue;
    }
    if (run === undefined || used === run.clusters) {
      if (at + RUN_BYTES > bytes.length) return undefined;
      run = {
        clusters: bytes.readUInt8(at),
        position: bytes.readUIntLE(at + 1, 6),
        packedSectors: bytes.readUInt8(at + 7),
      };
      used = 0;
      at += RUN_BYTES;
      if (!isSound(run)) return undefined;
    }
    places.push({ position: run.position + used * SECTORS_PER_CLUSTER, packedSectors: run.packedSectors });
    used += 1;
  }
  const isComplete = at === bytes.length && (run === undefined || used === run.clusters);
  return isComplete ? { first, count, digest, places } : undefined;
}

interface Run {
  clusters: number;
  readonly position: number;
  readonly packedSectors: number;
}

function isSound({ clusters, position, packedSectors }: Run): boolean {
  if (clusters === 0 || position < SECTORS_PER_CLUSTER || position >= 2 ** 40) return false;
  if (packedSectors === 0) return position % SECTORS_PER_CLUSTER === 0;
  return clusters === 1 && packedSectors < SECTORS_PER_CLUSTER;
}

function runsOf(places: readonly (Place | undefined)[]): Run[] {
  const runs: Run[] = [];
  for (const place of places) {
    if (place === undefined) continue;
    const last = runs.at(-1);
    const continues =
      last !== undefined &&
      last.packedSectors === 0 &&
      place.packedSectors === 0 &&
      place.position === last.position + last.clusters * SECTORS_PER_CLUSTER;
    if (continues) last.clusters += 1;
    else runs.push({ clusters: 1, ...place });
  }
  return runs;
}

/** The payload with its length and checksum before it, and the checksum, which the next record is chained to. */
export function frameRecord(payload: Buffer, crcBefore: number): { bytes: Buffer; crc: number } {
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt32LE(payload.length, 0);
  const crc = recordCrc(head, payload, crcBefore);
  head.writeUInt32LE(crc, 4);
  return { bytes: Buffer.concat([head, payload]), crc };
}

export function recordCrc(head: Buffer, payload: Buffer, crcBefore: number): number {
  return crc32(payload, crc32(head.subarray(0, 4), crcBefore));
}
