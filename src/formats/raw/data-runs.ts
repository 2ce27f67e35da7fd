import { BLOCK_BYTES } from '../../domain/digest-layout.ts';
import type { CallOptions } from '../../lib/call-options.ts';
import type { Allocation, LeafRun } from '../../ports/disk-reader.ts';
import type { ImageFile } from '../../ports/image-file.ts';

/** A part of the disk that may hold data, from `offset` up to `end`. */
export interface DataRun {
  readonly offset: number;
  readonly end: number;
}

/** More than these are not counted before the copy; the file system tells some 100,000 of them a second. */
const MAX_COUNTED_RUNS = 100_000;
/** Bounds the list that one range carries. */
const MAX_LEAF_RUNS = 4096;

/**
 * The file's data extents as whole blocks, joined where they then touch: a block is hashed and written as a whole. All of the disk where the file system tells no extents. Lazy, and
 * in constant memory.
 */
export async function* dataRuns(
  file: ImageFile,
  virtualSizeBytes: number,
  options: CallOptions = {},
): AsyncGenerator<DataRun, void> {
  if (file.dataExtents === undefined) {
    if (virtualSizeBytes > 0) yield { offset: 0, end: virtualSizeBytes };
    return;
  }
  let run: { readonly offset: number; end: number } | undefined;
  for await (const extent of file.dataExtents(options)) {
    options.signal?.throwIfAborted();
    const offset = Math.floor(extent.offset / BLOCK_BYTES) * BLOCK_BYTES;
    const whole = Math.ceil((extent.offset + extent.length) / BLOCK_BYTES) * BLOCK_BYTES;
    const end = Math.min(whole, virtualSizeBytes);
    if (extent.length === 0 || end <= offset) continue;
    if (run !== undefined && offset <= run.end) run.end = Math.max(run.end, end);
    else {
      if (run !== undefined) yield run;
      run = { offset, end };
    }
  }
  if (run !== undefined) yield run;
}

/** Walks the runs once. Unknown where nobody tells them, or where there are too many to wait for. */
export async function countData(
  file: ImageFile,
  virtualSizeBytes: number,
  options: CallOptions & { readonly maxRuns?: number } = {},
): Promise<Allocation> {
  if (file.dataExtents === undefined || file.read === undefined) return { kind: 'unknown' };
  let bytes = 0;
  let runs = 0;
  for await (const { offset, end } of dataRuns(file, virtualSizeBytes, options)) {
    bytes += end - offset;
    runs += 1;
    if (runs > (options.maxRuns ?? MAX_COUNTED_RUNS)) return { kind: 'unknown' };
  }
  return { kind: 'exact', bytes };
}

/** Leaves from `first` up to `end`, without those nobody wants, in lists of bounded length. */
export function* leafRuns(first: number, end: number, wants: (leaf: number) => boolean): Generator<LeafRun[], void> {
  let list: { first: number; count: number }[] = [];
  for (let leaf = first; leaf < end; leaf += 1) {
    if (!wants(leaf)) continue;
    const last = list.at(-1);
    if (last !== undefined && last.first + last.count === leaf) {
      last.count += 1;
      continue;
    }
    if (list.length === MAX_LEAF_RUNS) {
      yield list;
      list = [];
    }
    list.push({ first: leaf, count: 1 });
  }
  if (list.length > 0) yield list;
}
