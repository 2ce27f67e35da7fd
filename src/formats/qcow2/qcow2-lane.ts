import { zstdCompressSync } from 'node:zlib';
import type { LanePlace, LaneTarget, LaneWriter } from '../../ports/lane.ts';
import { LaneFile } from '../lane-file.ts';
import { CLUSTER_BYTES, SECTOR_BYTES, SECTORS_PER_CLUSTER } from './cluster-map.ts';
import { HostSpace } from './host-space.ts';
import {
  type PlacedCluster,
  packedSectorsOf,
  refuseStrayBlocks,
  storedForm,
  wholeBlocksOf,
  writesOf,
} from './placed-clusters.ts';

type Qcow2LaneTarget = Extract<LaneTarget, { readonly qcow2: unknown }>['qcow2'];

/**
 * Writes blocks of a qcow2 into clusters that this lane takes from the shared counter, and tells where. Every call gets new space: a block is not handed to lanes twice. Memory: what
 * one call compresses to.
 * @throws ProblemError `TargetNotWritable`, `TargetFull`, `TargetWriteFailed`
 */
export function openQcow2Lane(target: Qcow2LaneTarget, virtualSizeBytes: number): LaneWriter {
  const file = new LaneFile(target);
  const space = new HostSpace(target.nextCluster);
  const place = target.compression === 'zstd' ? placePacked : placeWhole;
  return {
    write(offset, bytes): LanePlace[] {
      refuseStrayBlocks(offset, bytes, virtualSizeBytes);
      const placed = place(space, offset / CLUSTER_BYTES, wholeBlocksOf(bytes));
      for (const write of writesOf(placed)) file.write(write.position * SECTOR_BYTES, write.bytes);
      return placed.map(({ cluster, position, packedSectors }) => ({ block: cluster, position, packedSectors }));
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

/** All in one run of clusters, so that one write takes them. */
function placeWhole(space: HostSpace, first: number, blocks: readonly Uint8Array[]): PlacedCluster[] {
  const start = space.takeClusters(blocks.length);
  return blocks.map((bytes, index) => ({
    cluster: first + index,
    bytes,
    position: start + index * SECTORS_PER_CLUSTER,
    packedSectors: 0,
  }));
}

/** What does not get shorter in one run of clusters, before the rest in one run of sectors, of which some may still fit behind those of the last call. */
function placePacked(space: HostSpace, first: number, blocks: readonly Uint8Array[]): PlacedCluster[] {
  const stored = blocks.map((block, index) => {
    const bytes = storedForm(block, zstdCompressSync(block));
    return { cluster: first + index, bytes, packedSectors: packedSectorsOf(bytes) };
  });
  const whole = stored.filter(({ packedSectors }) => packedSectors === 0);
  const packed = stored.filter(({ packedSectors }) => packedSectors > 0);
  const start = space.takeClusters(whole.length);
  const placed = whole.map((each, index) => ({ ...each, position: start + index * SECTORS_PER_CLUSTER }));
  let ahead = packed.reduce((sum, { packedSectors }) => sum + packedSectors, 0);
  for (const each of packed) {
    placed.push({ ...each, position: space.takeSectors(each.packedSectors, ahead) });
    ahead -= each.packedSectors;
  }
  return placed;
}
