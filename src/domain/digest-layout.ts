/**
 * The fixed sizes that digests, checkpoints and writers share (rulings.md, ruling 2). A disk is cut into blocks, blocks into leaves; the last block
 * and the last leaf may be short.
 */
export const BLOCK_BYTES = 64 * 1024;
export const LEAF_BYTES = 4 * 1024 * 1024;
export const BLOCKS_PER_LEAF = LEAF_BYTES / BLOCK_BYTES;

/** Largest disk we accept: 64 TiB, the most that VMFS and KubeVirt's storage hold. Everything counted per leaf stays small below it. */
export const MAX_VIRTUAL_SIZE_BYTES = 64 * 2 ** 40;

export function leafCount(virtualSizeBytes: number): number {
  return Math.ceil(virtualSizeBytes / LEAF_BYTES);
}

export function leafOf(offset: number): number {
  return Math.floor(offset / LEAF_BYTES);
}
