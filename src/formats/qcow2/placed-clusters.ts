import { CLUSTER_BYTES, type Place, SECTOR_BYTES, SECTORS_PER_CLUSTER } from './cluster-map.ts';

/** A cluster of the disk, as it is to be stored, and where. */
export interface PlacedCluster extends Place {
  readonly cluster: number;
  readonly bytes: Uint8Array;
}

/** @throws RangeError for what is not whole blocks of the disk */
export function refuseStrayBlocks(offset: number, bytes: Uint8Array, virtualSizeBytes: number): void {
  const end = offset + bytes.length;
  const endsWell = end % CLUSTER_BYTES === 0 || end === virtualSizeBytes;
  if (offset % CLUSTER_BYTES === 0 && end <= virtualSizeBytes && endsWell) return;
  throw new RangeError(`${bytes.length} bytes at ${offset} are no whole blocks of ${virtualSizeBytes}`);
}

/** The last block of the disk is filled up with zeroes, otherwise the guest could read what lay in the file before. */
export function wholeBlocksOf(bytes: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += CLUSTER_BYTES) {
    const block = bytes.subarray(from, from + CLUSTER_BYTES);
    if (block.length === CLUSTER_BYTES) blocks.push(block);
    else {
      const whole = new Uint8Array(CLUSTER_BYTES);
      whole.set(block);
      blocks.push(whole);
    }
  }
  return blocks;
}

/** What is stored of a block: whole sectors of its compressed bytes, or the block itself where that is no shorter. */
export function storedForm(block: Uint8Array, packed: Uint8Array): Uint8Array {
  const sectors = Math.ceil(packed.length / SECTOR_BYTES);
  if (sectors >= SECTORS_PER_CLUSTER) return block;
  const whole = new Uint8Array(sectors * SECTOR_BYTES);
  whole.set(packed);
  return whole;
}

/** Sectors of a compressed block in its stored form; 0 for one that is stored as it is. */
export function packedSectorsOf(stored: Uint8Array): number {
  return stored.length < CLUSTER_BYTES ? stored.length / SECTOR_BYTES : 0;
}

/** Puts what lies behind each other in the file into one write; positions in sectors. */
export function writesOf(placed: readonly PlacedCluster[]): { position: number; bytes: Uint8Array }[] {
  const runs: { position: number; end: number; parts: Uint8Array[] }[] = [];
  for (const { position, bytes } of placed) {
    const sectors = bytes.length / SECTOR_BYTES;
    const last = runs.at(-1);
    if (last?.end === position) {
      last.end += sectors;
      last.parts.push(bytes);
    } else runs.push({ position, end: position + sectors, parts: [bytes] });
  }
  return runs.map(({ position, parts }) => ({ position, bytes: joinRun(parts) }));
}

/** Without copying where the parts lie behind each other in memory, as the blocks of one write do. */
function joinRun(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first === undefined) return new Uint8Array(0);
  let end = first.byteOffset;
  for (const part of parts) {
    if (part.buffer !== first.buffer || part.byteOffset !== end) return Buffer.concat(parts);
    end += part.length;
  }
  return new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset);
}
