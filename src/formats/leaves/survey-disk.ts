import { leafCount, leafOf } from '../../domain/digest-layout.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { DiskReader } from '../../ports/disk-reader.ts';
import { AllocatedClusters } from '../qcow2/allocated-clusters.ts';

export interface DiskSurvey {
  readonly allocated: AllocatedClusters;
  /** Runs of leaves that cover the disk, each with a bounded number of pieces. */
  readonly sections: readonly { readonly first: number; readonly end: number }[];
  /** Leaves in which any piece lies. */
  readonly dataLeaves: readonly number[];
}

/** Pieces whose places are kept at a time: 16 MiB of columns. */
const PIECES_PER_SECTION = 2 ** 19;

/** Walks the reader's map once, before anything of the disk is read. Memory: two bytes a leaf, and the allocation. */
export async function surveyDisk(
  reader: DiskReader,
  { signal, piecesPerSection = PIECES_PER_SECTION }: CallOptions & { readonly piecesPerSection?: number } = {},
): Promise<DiskSurvey> {
  const allocated = new AllocatedClusters(reader.virtualSizeBytes);
  const pieces = new Uint32Array(leafCount(reader.virtualSizeBytes));
  for await (const range of reader.ranges({ signal })) {
    for (const { offset, length } of range.pieces) {
      allocated.add(offset, length);
      for (let leaf = leafOf(offset); leaf <= leafOf(offset + length - 1); leaf += 1)
        pieces[leaf] = (pieces[leaf] ?? 0) + 1;
    }
  }
  const sections: { first: number; end: number }[] = [];
  const dataLeaves: number[] = [];
  let first = 0;
  let count = 0;
  for (const [leaf, inLeaf] of pieces.entries()) {
    if (inLeaf > 0) dataLeaves.push(leaf);
    if (count > 0 && count + inLeaf > piecesPerSection) {
      sections.push({ first, end: leaf });
      first = leaf;
      count = 0;
    }
    count += inLeaf;
  }
  if (pieces.length > first) sections.push({ first, end: pieces.length });
  return { allocated, sections, dataLeaves };
}
